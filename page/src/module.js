// The host of the WebAssembly verifier. Whatever goes wrong here is a verdict that accepts nothing.

import { fromUtf8, utf8 } from "./bytes.js";

/**
 * @typedef {{advice: string, check: string | null, message: string, name: string, where: string | null}} Failure
 * @typedef {{check: number, detail: string, envelope: number | null, error: string | null, name: string, status: string}} Check
 * @typedef {Record<string, unknown> & {verdict: "accepted" | "rejected" | "undecided" | null, error?: Failure | null, checks?: Check[]}} Answer
 */

/** Names of functions that the module exports; spec/v1/page.md, section 1. */
export const VERIFY = "veridical_verify_receipt";
export const POST = "veridical_check_post";

const ANSWER_MAX_BYTES = 8 * 1024 * 1024;

/**
 * @param {"rejected" | "undecided"} verdict
 * @param {string} name
 * @param {string} message
 * @param {string} advice
 * @returns {Answer}
 */
export function stopped(verdict, name, message, advice) {
  return { verdict, error: { advice, check: null, message, name, where: null }, checks: [] };
}

const UNREADABLE = stopped(
  "rejected",
  "VerifierAnswer",
  "the verifier gave an answer that this page does not understand",
  "Do not rely on this answer. Get this page again from its publisher.",
);

/**
 * Calls one function of the module, in a fresh instance, so that no call can prepare another.
 * @param {WebAssembly.Module} module
 * @param {string} name
 * @param {Uint8Array[]} buffers
 * @returns {Answer}
 */
export function call(module, name, buffers) {
  let text;
  try {
    text = run(module, name, buffers);
  } catch (error) {
    // A verifier that stops halfway has met something that it was not made for.
    return stopped(
      "rejected",
      "VerifierTrap",
      `the verifier stopped before it was done: ${error instanceof Error ? error.message : "no reason given"}`,
      "Do not rely on this answer. Check the receipt with `veridical verify` as well.",
    );
  }
  return answerFrom(text);
}

/**
 * @param {string | null} text
 * @returns {Answer}
 */
export function answerFrom(text) {
  if (text === null) return UNREADABLE;
  try {
    const value = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return UNREADABLE;
    if (![null, "accepted", "rejected", "undecided"].includes(value.verdict)) return UNREADABLE;
    return value;
  } catch {
    return UNREADABLE;
  }
}

/**
 * @param {WebAssembly.Module} module
 * @param {string} name
 * @param {Uint8Array[]} buffers
 * @returns {string | null}
 */
function run(module, name, buffers) {
  const exports = /** @type {Record<string, any>} */ (new WebAssembly.Instance(module, {}).exports);
  const memory = () => /** @type {WebAssembly.Memory} */ (exports.memory).buffer;
  const given = buffers.flatMap((bytes) => {
    const pointer = exports.veridical_alloc(bytes.length) >>> 0;
    new Uint8Array(memory()).set(bytes, pointer);
    return [pointer, bytes.length];
  });
  const pointer = exports[name](...given) >>> 0;
  const length = new DataView(memory()).getUint32(pointer, true);
  if (length > ANSWER_MAX_BYTES || pointer + 4 + length > memory().byteLength) return null;
  return fromUtf8(new Uint8Array(memory(), pointer + 4, length).slice());
}

/**
 * @param {WebAssembly.Module} module
 * @param {Uint8Array} receipt
 * @param {object} options
 * @param {Uint8Array} program may be empty
 * @returns {Answer}
 */
export function verifyReceipt(module, receipt, options, program) {
  const answer = call(module, VERIFY, [receipt, utf8(JSON.stringify({ ...options, form: "explain" })), program]);
  // An acceptance says what was accepted, or it is none.
  const isWhole = answer.verdict !== "accepted" || (typeof answer.verified === "object" && answer.verified !== null);
  return isWhole ? answer : UNREADABLE;
}

/**
 * @param {WebAssembly.Module} module
 * @param {Uint8Array} post
 * @param {Uint8Array} text what was published
 * @param {object} options
 * @returns {Answer}
 */
export function checkPost(module, post, text, options) {
  return call(module, POST, [post, text, utf8(JSON.stringify(options))]);
}
