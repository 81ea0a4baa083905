// Questions and answers from files: archives of NumPy, or requests and answers of the Open Inference
// Protocol, as the canonical tensor bytes of spec/v1/receipt.md, section 3.

import { concat, frame, fromBase64, fromUtf8, u64le } from "./bytes.js";

/**
 * @typedef {{name: string, dtype: string, shape: number[], elements: Uint8Array}} Tensor
 * @typedef {{tensors: Tensor[]} | {message: string}} Read
 */

/** Type of a receipt for each of NumPy and of the protocol. */
const NUMPY = /** @type {Record<string, string>} */ ({
  "|b1": "bool", "|i1": "i8", "<i2": "i16", "<i4": "i32", "<i8": "i64",
  "|u1": "u8", "<u2": "u16", "<u4": "u32", "<u8": "u64", "<f4": "f32", "<f8": "f64",
});
const PROTOCOL = /** @type {Record<string, string>} */ ({
  BOOL: "bool", INT8: "i8", INT16: "i16", INT32: "i32", INT64: "i64",
  UINT8: "u8", UINT16: "u16", UINT32: "u32", UINT64: "u64", FP32: "f32", FP64: "f64",
});
const WIDTH = /** @type {Record<string, number>} */ ({
  bool: 1, i8: 1, i16: 2, i32: 4, i64: 8, u8: 1, u16: 2, u32: 4, u64: 8, f32: 4, f64: 8,
});
const VALUES_MAX_BYTES = 256 * 1024 * 1024;

/**
 * @param {Tensor[]} tensors
 * @returns {Uint8Array}
 */
export function canonicalTensors(tensors) {
  // Names are ASCII, so the order of texts is that of bytes.
  const sorted = [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1));
  const parts = sorted.flatMap(({ name, dtype, shape, elements }) => [
    frame(name), frame(dtype), frame(concat(...shape.map(u64le))), frame(elements),
  ]);
  return concat(frame("veridical.tensors.v1"), u64le(sorted.length), ...parts);
}

/**
 * @param {Uint8Array} bytes canonical tensor bytes
 * @returns {Tensor[] | null}
 */
export function tensorsOf(bytes) {
  let at = 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const number = () => {
    const value = Number(view.getBigUint64(at, true));
    at += 8;
    return value;
  };
  const framed = () => {
    const length = number();
    if (length > bytes.length - at) throw new RangeError("a frame ends behind the end");
    at += length;
    return bytes.subarray(at - length, at);
  };
  try {
    if (fromUtf8(framed()) !== "veridical.tensors.v1") return null;
    const count = number();
    if (count > 256) return null;
    return Array.from({ length: count }, () => {
      const name = fromUtf8(framed()) ?? "";
      const dtype = fromUtf8(framed()) ?? "";
      const dimensions = framed();
      const lengths = new DataView(dimensions.buffer, dimensions.byteOffset, dimensions.byteLength);
      const shape = Array.from({ length: dimensions.length / 8 }, (_, axis) => Number(lengths.getBigUint64(8 * axis, true)));
      return { name, dtype, shape, elements: framed() };
    });
  } catch {
    return null;
  }
}

/**
 * @param {Tensor} tensor
 * @param {number} limit
 * @returns {string[]} its first elements, as a person reads them
 */
export function firstElements({ dtype, elements }, limit) {
  const width = WIDTH[dtype];
  if (width === undefined) return [];
  const view = new DataView(elements.buffer, elements.byteOffset, elements.byteLength);
  const count = Math.min(limit, Math.floor(elements.length / width));
  return Array.from({ length: count }, (_, index) => elementText(view, dtype, index * width));
}

/**
 * @param {DataView} view
 * @param {string} dtype
 * @param {number} at
 * @returns {string}
 */
function elementText(view, dtype, at) {
  switch (dtype) {
    case "bool": return view.getUint8(at) ? "true" : "false";
    case "i8": return String(view.getInt8(at));
    case "u8": return String(view.getUint8(at));
    case "i16": return String(view.getInt16(at, true));
    case "u16": return String(view.getUint16(at, true));
    case "i32": return String(view.getInt32(at, true));
    case "u32": return String(view.getUint32(at, true));
    case "i64": return String(view.getBigInt64(at, true));
    case "u64": return String(view.getBigUint64(at, true));
    case "f32": return String(Number(view.getFloat32(at, true).toPrecision(7)));
    default: return String(view.getFloat64(at, true));
  }
}

/**
 * An archive as `numpy.savez` and `veridical run` write it.
 * @param {Uint8Array} bytes
 * @returns {Promise<Read>}
 */
export async function readNpz(bytes) {
  /** @type {Tensor[]} */
  const tensors = [];
  for (const { name, content } of await unzip(bytes)) {
    if (!name.endsWith(".npy")) return { message: `The archive holds ${name}, which is no array.` };
    const tensor = readNpy(content, name.slice(0, -4));
    if ("message" in tensor) return tensor;
    tensors.push(tensor);
  }
  return checked(tensors);
}

/**
 * @param {Tensor[]} tensors
 * @returns {Read}
 */
function checked(tensors) {
  const names = new Set(tensors.map(({ name }) => name));
  if (tensors.length === 0 || tensors.length > 256) return { message: "There are no arrays in it, or too many." };
  if (names.size < tensors.length) return { message: "Two arrays have one name." };
  return { tensors };
}

/**
 * @param {Uint8Array} bytes
 * @returns {Promise<{name: string, content: Uint8Array}[]>}
 */
async function unzip(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end -= 1;
  if (end < 0) return [];
  const found = [];
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left -= 1) {
    if (view.getUint32(at, true) !== 0x02014b50) return [];
    const [method, nameLength, extraLength] = [10, 28, 30].map((by) => view.getUint16(at + by, true));
    const [packed, size] = [20, 24].map((by) => view.getUint32(at + by, true));
    const local = view.getUint32(at + 42, true);
    const name = fromUtf8(bytes.subarray(at + 46, at + 46 + Number(nameLength))) ?? "";
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const raw = bytes.subarray(start, start + Number(packed));
    if (Number(size) > VALUES_MAX_BYTES) return [];
    found.push({ name, content: method === 8 ? await inflated(raw, VALUES_MAX_BYTES) : raw });
    at += 46 + Number(nameLength) + Number(extraLength) + view.getUint16(at + 32, true);
  }
  return found;
}

/**
 * @param {Uint8Array} bytes raw deflate
 * @param {number} limit
 * @returns {Promise<Uint8Array>}
 */
export async function inflated(bytes, limit) {
  const stream = new Blob([Uint8Array.from(bytes)]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const reader = stream.getReader();
  const parts = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return concat(...parts);
    size += value.length;
    if (size > limit) throw new RangeError("more than the limit");
    parts.push(value);
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {string} name
 * @returns {Tensor | {message: string}}
 */
function readNpy(bytes, name) {
  const refused = (/** @type {string} */ why) => ({ message: `The array ${name} ${why}.` });
  if (bytes.length < 12 || fromUtf8(bytes.subarray(1, 6)) !== "NUMPY") return refused("is none of NumPy");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const long = bytes[6] !== 1;
  const start = (long ? 12 : 10) + (long ? view.getUint32(8, true) : view.getUint16(8, true));
  const header = fromUtf8(bytes.subarray(long ? 12 : 10, start)) ?? "";
  const dtype = NUMPY[/'descr': '([^']+)'/.exec(header)?.[1] ?? ""];
  const text = /'shape': \(([0-9, ]*)\)/.exec(header)?.[1];
  if (dtype === undefined || text === undefined) return refused("has a type that receipts do not take");
  if (!header.includes("'fortran_order': False")) return refused("is not in row-major order");
  const shape = text.split(",").filter((part) => part.trim() !== "").map(Number);
  return tensor(name, dtype, shape, bytes.subarray(start)) ?? refused("has another size than its shape says");
}

/**
 * @param {string} name
 * @param {string} dtype
 * @param {number[]} shape
 * @param {Uint8Array} elements
 * @returns {Tensor | null}
 */
function tensor(name, dtype, shape, elements) {
  const size = shape.reduce((product, length) => product * length, WIDTH[dtype] ?? 0);
  if (shape.length > 9 || !shape.every((length) => length >= 1)) return null;
  return size === elements.length && /^[\x20!\x23-\x5b\x5d-\x7e]{1,128}$/.test(name) ? { name, dtype, shape, elements } : null;
}

/**
 * A request or an answer of the Open Inference Protocol, with its numbers as JSON.
 * @param {unknown} value
 * @returns {Read & {isAnswer?: boolean}}
 */
export function readProtocol(value) {
  const body = /** @type {Record<string, unknown>} */ (value);
  const isAnswer = Array.isArray(body?.outputs) && !Array.isArray(body.inputs);
  const given = /** @type {unknown} */ (isAnswer ? body.outputs : body?.inputs);
  if (!Array.isArray(given)) return { message: "It is no request or answer of the inference protocol." };
  const tensors = [];
  for (const { name, datatype, shape, data } of given) {
    const dtype = PROTOCOL[datatype];
    if (dtype === undefined || !Array.isArray(data) || !Array.isArray(shape)) {
      return { message: "A tensor in it has no numbers, or a type that receipts do not take." };
    }
    const numbers = /** @type {unknown[]} */ (data.flat(Infinity));
    const isExact = dtype.startsWith("f") ? Number.isFinite : Number.isSafeInteger;
    if (!numbers.every((item) => isExact(Number(item)))) return { message: `A number of ${name} cannot be read exactly.` };
    const made = tensor(String(name), dtype, shape.map(Number), elementsOf(dtype, numbers));
    if (made === null) return { message: `The tensor ${name} has another size than its shape says.` };
    tensors.push(made);
  }
  return { ...checked(tensors), isAnswer };
}

/**
 * @param {string} dtype
 * @param {unknown[]} numbers
 * @returns {Uint8Array}
 */
function elementsOf(dtype, numbers) {
  const width = WIDTH[dtype] ?? 1;
  const view = new DataView(new ArrayBuffer(width * numbers.length));
  numbers.forEach((item, index) => {
    const [at, number] = [index * width, Number(item)];
    if (dtype === "f32") view.setFloat32(at, number, true);
    else if (dtype === "f64") view.setFloat64(at, number, true);
    else if (width === 8) view.setBigInt64(at, BigInt(Math.trunc(number)), true);
    else if (width === 4) view.setInt32(at, number, true);
    else if (width === 2) view.setInt16(at, number, true);
    else view.setInt8(at, number);
  });
  return new Uint8Array(view.buffer);
}

/**
 * @param {string} text base64 of canonical tensor bytes
 * @returns {Tensor[] | null}
 */
export function tensorsFromBase64(text) {
  const bytes = fromBase64(text);
  return bytes === null ? null : tensorsOf(bytes);
}

/**
 * Whether a file is an archive of arrays.
 * @param {Uint8Array} bytes
 * @returns {boolean}
 */
export function isNpz(bytes) {
  return fromUtf8(bytes.subarray(0, 2)) === "PK";
}
