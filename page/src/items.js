// What a file is, by what is in it; its name decides nothing but the order of two arrays of numbers.

import { fromUtf8 } from "./bytes.js";
import { EXTRACT_VERSION, noteKey } from "./extract.js";
import { canonicalTensors, isNpz, readNpz, readProtocol } from "./values.js";

/**
 * @typedef {"receipt" | "key" | "vkey" | "policy" | "program" | "registration" | "question" | "answer" | "extract" | "post" |
 *   "template" | "text" | "refused"} Kind
 * @typedef {{kind: Kind, name: string, bytes: Uint8Array, text: string, note: string}} Item
 */

export const KIND_NAMES = /** @type {Record<Kind, string>} */ ({
  receipt: "Receipt", key: "Public key", vkey: "Key of a log", policy: "Policy", program: "Program", registration: "Registration proof",
  question: "Question", answer: "Answer", extract: "Log extract", post: "Post", template: "Template", text: "Published text",
  refused: "Not used",
});

/** Of these there is one; a second one takes the place of the first. */
export const SINGLE = /** @type {Kind[]} */ (["receipt", "policy", "program", "question", "answer", "extract", "post", "template", "text"]);

export const ITEM_MAX_BYTES = 1024 * 1024 * 1024;

/**
 * @param {string} name
 * @param {Uint8Array} bytes
 * @returns {Promise<Item>}
 */
export async function itemOf(name, bytes) {
  const made = (/** @type {Kind} */ kind, note = "", text = "") => ({ kind, name, bytes, text, note });
  if (isNpz(bytes)) {
    const read = await readNpz(bytes).catch(() => ({ message: "The archive cannot be read." }));
    if ("message" in read) return made("refused", read.message);
    const kind = /answer|output|result/i.test(name) ? "answer" : "question";
    return { ...made(kind, arrays(read.tensors)), bytes: canonicalTensors(read.tensors) };
  }
  if (isProgram(bytes)) return made("program");
  if (fromUtf8(bytes.subarray(8, 33)) === "veridical.registration.v1") return made("registration");
  const text = fromUtf8(bytes);
  if (text === null) return made("refused", "This page does not know what this file is.");
  return ofText(text, made);
}

/**
 * @param {string} text
 * @param {(kind: Kind, note?: string, text?: string) => Item} made
 * @returns {Item}
 */
function ofText(text, made) {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) {
    return made("refused", "This is a private key. It is not needed here, and was not kept. Never hand it to anyone.");
  }
  if (/^version\s*=\s*["']veridical-policy\/v1["']/m.test(text)) return made("policy", "", text);
  if (text.includes("-----BEGIN PUBLIC KEY-----")) return made("key", "", text.trim());
  if (text.startsWith("veridical-template/v1\n")) return made("template", "", text);
  if (noteKey(text) !== null) return made("vkey", text.trim().split("+")[0], text.trim());
  // A receipt that is damaged is one still: the verifier says what is wrong with it.
  if (/"veridical-receipt\//.test(text)) return made("receipt");
  if (/^\s*\{/.test(text)) return ofJson(text, made);
  return made("text", `${text.length} characters`, text);
}

/**
 * @param {string} text
 * @param {(kind: Kind, note?: string, text?: string) => Item} made
 * @returns {Item}
 */
function ofJson(text, made) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return made("receipt");
  }
  if (value.version === EXTRACT_VERSION) return made("extract");
  if (value.version === "veridical-post/v1") return made("post", "", text);
  const read = readProtocol(value);
  if ("tensors" in read) {
    const item = made(read.isAnswer ? "answer" : "question", arrays(read.tensors));
    return { ...item, bytes: canonicalTensors(read.tensors) };
  }
  return made("refused", "This page does not know what this file is.");
}

/**
 * @param {{name: string, shape: number[]}[]} tensors
 * @returns {string}
 */
function arrays(tensors) {
  return tensors.map(({ name, shape }) => `${name} ${shape.join("×")}`).join(", ");
}

/**
 * @param {Uint8Array} bytes
 * @returns {boolean} whether it begins as a program or verification key does
 */
function isProgram(bytes) {
  if (bytes.length < 16) return false;
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (length > bytes.length - 8) return false;
  return (fromUtf8(bytes.subarray(8, 8 + Math.min(length, 64))) ?? "").startsWith('{"__metadata__":{"format":"veridical-');
}

/**
 * A gateway's answer has the receipt inside; this takes it out.
 * @param {Item} item
 * @returns {Uint8Array | null}
 */
export function receiptInAnswer(item) {
  try {
    const receipt = JSON.parse(fromUtf8(item.bytes) ?? "")?.parameters?.receipt;
    return typeof receipt === "string" ? new TextEncoder().encode(receipt) : null;
  } catch {
    return null;
  }
}
