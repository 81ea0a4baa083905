// The module verifies an honest proof, refuses changed ones, and imports nothing.
// Usage: MODULE=veridical_wasm.wasm CASE=FOLDER node --test verify.test.mjs
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const code = readFileSync(process.env.MODULE);
const module = new WebAssembly.Module(code);
const [program, statement, proof] = ["program", "statement", "proof"].map((name) =>
  readFileSync(join(process.env.CASE, name)),
);

/** Verifies in a fresh instance, so that no call can prepare another. */
function verify(...parts) {
  const { exports } = new WebAssembly.Instance(module, {});
  const memory = () => new Uint8Array(exports.memory.buffer);
  const buffers = parts.map((bytes) => {
    const pointer = exports.veridical_alloc(bytes.length);
    memory().set(bytes, pointer);
    return [pointer, bytes.length];
  });
  const start = performance.now();
  const pointer = exports.veridical_verify(...buffers.flat());
  const milliseconds = performance.now() - start;
  const length = new DataView(exports.memory.buffer).getUint32(pointer, true);
  const text = new TextDecoder().decode(memory().slice(pointer + 4, pointer + 4 + length));
  exports.veridical_free(pointer, 4 + length);
  for (const buffer of buffers) exports.veridical_free(...buffer);
  return { ...JSON.parse(text), milliseconds };
}

/** A copy with one bit of one byte changed. */
function changed(bytes, at) {
  const copy = Uint8Array.from(bytes);
  copy[at] ^= 1;
  return copy;
}

test("the module imports nothing", () => {
  assert.deepEqual(WebAssembly.Module.imports(module), []);
});

test("an honest proof is accepted", () => {
  const times = Array.from({ length: 21 }, () => {
    const answer = verify(program, statement, proof);
    assert.equal(answer.accepted, true, JSON.stringify(answer));
    assert.ok(Number(answer.bits) >= 100);
    // What was accepted: the root follows the profile's name and a 1.
    const root = statement.subarray(2 + statement[0], 34 + statement[0]);
    assert.equal(answer.weight_root, Buffer.from(root).toString("hex"));
    assert.match(answer.model, /^[0-9a-f]{64}$/);
    return answer.milliseconds;
  }).sort((a, b) => a - b);
  console.log(`module ${code.length} bytes, proof ${proof.length} bytes, median ${times[10].toFixed(1)} ms`);
});

test("a changed proof is refused", () => {
  const step = Math.ceil(proof.length / 101);
  for (let at = 0; at < proof.length; at += step) {
    const answer = verify(program, statement, changed(proof, at));
    assert.equal(answer.accepted, false, `byte ${at}`);
    assert.ok(answer.check.length > 0 && answer.reason.length > 0);
  }
  assert.equal(verify(program, statement, proof.subarray(0, -1)).check, "Truncated");
});

test("another statement is refused", () => {
  for (let at = 0; at < statement.length; at += 1) {
    assert.equal(verify(program, changed(statement, at), proof).accepted, false, `byte ${at}`);
  }
});

test("another program is refused", () => {
  for (let at = 0; at < program.length; at += 37) {
    assert.equal(verify(changed(program, at), statement, proof).accepted, false, `byte ${at}`);
  }
  assert.equal(verify(new Uint8Array(), statement, proof).accepted, false);
});
