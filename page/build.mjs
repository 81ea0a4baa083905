// Builds python/veridical/page/*.html from src/. Usage: node build.mjs [FOLDER [VERIFIER]]. Needs Node 20
// and nothing else.
//
// Each page is one file: style, script and verifier are inside, so that it opens from disk, can be saved and passed on,
// and is bound by the hashes of its own Content-Security-Policy. Modules are joined into one classic script: imports and
// the word `export` go, so a name is used once in all modules, which is checked.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const packaged = join(root, "python", "veridical", "page");
const EXAMPLE = {
  "answer.receipt.json": "vectors/receipt/valid/revealed.receipt.json",
  "provider.pub": "vectors/receipt/keys/ed25519.pub",
  "example.vprog": "vectors/program/example.vprog",
};

/** Modules in the order in which they have to stand. */
function modules(entry, seen = new Map()) {
  const path = join(here, "src", entry);
  if (seen.has(entry)) return seen;
  seen.set(entry, null); // holds the place, so that a circle ends
  const text = readFileSync(path, "utf8");
  for (const [, imported] of text.matchAll(/^import [^;]* from "\.\/([^"]+)";$/gm)) modules(normalize(imported), seen);
  seen.delete(entry);
  return seen.set(entry, text);
}

/** One classic script of all modules that an entry needs. */
export function joined(entry) {
  const names = new Map();
  const parts = [];
  for (const [module, text] of modules(entry)) {
    for (const [, name] of text.matchAll(/^(?:export )?(?:async )?(?:function|class|const|let) (\w+)/gm)) {
      if (names.has(name)) throw new Error(`${module} and ${names.get(name)} both define ${name}`);
      names.set(name, module);
    }
    const body = text.replace(/^import [^;]*;\n/gm, "").replace(/^export /gm, "");
    if (/^\s*(?:import|export)\b/m.test(body)) throw new Error(`${module} has an import or export of another form`);
    parts.push(`// ${module}\n${body.trim()}\n`);
  }
  // The end of a script element must not stand in it.
  const script = `"use strict";\n(() => {\n${parts.join("\n")}})();\n`;
  if (/<\/script|<!--/i.test(script)) throw new Error(`${entry} holds what ends a script element`);
  return script;
}

const hash = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** The page with its parts in place. */
export function page(template, entry, parts) {
  const style = readFileSync(join(here, "src", "page.css"), "utf8");
  const script = joined(entry);
  const policy = [
    "default-src 'none'",
    `script-src ${hash(script)} 'wasm-unsafe-eval'`,
    `style-src ${hash(style)}`,
    "img-src data:",
    "connect-src 'self'",
    "worker-src blob:",
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types veridical",
  ].join("; ");
  const all = { ...parts, policy, style, script };
  return readFileSync(join(here, "src", template), "utf8").replace(/\{\{([a-z-]+)\}\}/g, (_, name) => {
    if (all[name] === undefined) throw new Error(`${template} asks for ${name}`);
    return all[name];
  });
}

/** Every file of the output by its name. */
export function outputs(path = join(packaged, "veridical.wasm")) {
  const verifier = readFileSync(path);
  const example = Object.fromEntries(
    Object.entries(EXAMPLE).map(([name, path]) => [name, readFileSync(join(root, path)).toString("base64")]),
  );
  const parts = {
    verifier: verifier.toString("base64"),
    "verifier-digest": `sha256:${createHash("sha256").update(verifier).digest("hex")}`,
    example: JSON.stringify(example),
  };
  return {
    "index.html": page("index.html", "main.js", parts),
    "dashboard.html": page("dashboard.html", "dashboard.js", {}),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = process.argv[2] ?? packaged;
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(outputs(process.argv[3]))) {
    writeFileSync(join(folder, name), text);
    console.log(`${basename(folder)}/${name}  ${text.length} bytes`);
  }
}
