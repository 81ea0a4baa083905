// Writes a module that gives one answer, or traps. Usage: node write_module.mjs OUTPUT [ANSWER].
import { readFileSync, writeFileSync } from "node:fs";

import { moduleAnswering } from "./modules.mjs";

const [output, answer] = process.argv.slice(2);
writeFileSync(output, moduleAnswering(answer === undefined ? null : readFileSync(answer, "utf8")));
