// Writes a module that gives one answer, traps, or never ends. Usage: node write_module.mjs OUTPUT (answer FILE | trap | loop).
import { readFileSync, writeFileSync } from "node:fs";

import { moduleAnswering } from "./modules.mjs";

const [output, kind, file] = process.argv.slice(2);
const answers = { answer: () => readFileSync(file, "utf8"), trap: () => null, loop: () => undefined };
writeFileSync(output, moduleAnswering(answers[kind]()));
