// Judges cases from the standard input with the WebAssembly module, as `crates/receipt/examples/judge.rs` does natively.
// Usage: node host.mjs MODULE. A case is the name of an export and its three arguments, each behind its length.
import { readFileSync, readSync, writeSync } from "node:fs";

const module = new WebAssembly.Module(readFileSync(process.argv[2]));

/** So many bytes of the standard input, or null at its end. */
function read(length) {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    let count;
    try {
      count = readSync(0, bytes, at, length - at, null);
    } catch (error) {
      if (error.code === "EAGAIN") continue;
      throw error;
    }
    if (count === 0) return null;
    at += count;
  }
  return bytes;
}

function part() {
  const length = read(4);
  return length && read(new DataView(length.buffer).getUint32(0, true));
}

/** Calls an export in a fresh instance, so that no call can prepare another; a trap accepts nothing. */
function judge(name, parts) {
  const { exports } = new WebAssembly.Instance(module, {});
  const memory = () => new Uint8Array(exports.memory.buffer);
  const given = parts.flatMap((bytes) => {
    const pointer = exports.veridical_alloc(bytes.length) >>> 0;
    memory().set(bytes, pointer);
    return [pointer, bytes.length];
  });
  const pointer = exports[name](...given) >>> 0;
  const length = new DataView(exports.memory.buffer).getUint32(pointer, true);
  return memory().slice(pointer + 4, pointer + 4 + length);
}

for (let name = part(); name; name = part()) {
  const parts = [part(), part(), part()];
  let answer;
  try {
    answer = judge(new TextDecoder().decode(name), parts);
  } catch (error) {
    const trap = { error: { check: null, name: "Trap", message: String(error) }, verdict: "rejected" };
    answer = new TextEncoder().encode(JSON.stringify(trap));
  }
  const framed = new Uint8Array(4 + answer.length);
  new DataView(framed.buffer).setUint32(0, answer.length, true);
  framed.set(answer, 4);
  for (let at = 0; at < framed.length; ) at += writeSync(1, framed, at);
}
