// A log extract: a checkpoint and every entry below it. The tree is computed again, and the checkpoint's
// signature is checked.  Spec: spec/v1/page.md, section 5; spec/v1/log.md, sections 2 and 3.

import { auditEntries } from "./audit.js";
import { concat, fromBase64, fromUtf8, sameBytes, toHex, utf8 } from "./bytes.js";
import { sha256 } from "./sha256.js";

export const EXTRACT_VERSION = "veridical-log-extract/v1";
const EXTRACT_MAX_ENTRIES = 200_000;
const ENTRY_MAX_BYTES = 4096;

/**
 * @typedef {{name: string, line: Uint8Array}} NoteSignature
 * @typedef {{origin: string, size: number, root: Uint8Array, text: string, signatures: NoteSignature[]}} Checkpoint
 * @typedef {{name: string, id: string, type: number, key: Uint8Array}} NoteKey
 * @typedef {import("./audit.js").Audit & {origin: string, size: number, model: string, cosigners: string[]}} TrackRecord
 * @typedef {{state: "shown", record: TrackRecord} | {state: "false" | "unsigned", message: string, record?: TrackRecord}} ExtractAnswer
 */

/**
 * Reads `name+id+key`.
 * @param {string} text
 * @returns {NoteKey | null}
 */
export function noteKey(text) {
  const match = /^([^\s+]{1,256})\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text.trim());
  if (match === null) return null;
  const [, name = "", id = "", encoded = ""] = match;
  const bytes = fromBase64(encoded);
  if (bytes === null || bytes.length !== 33 || (bytes[0] !== 1 && bytes[0] !== 4)) return null;
  const computed = toHex(sha256(concat(utf8(`${name}\n`), bytes)).subarray(0, 4));
  return computed === id ? { name, id, type: /** @type {number} */ (bytes[0]), key: bytes.subarray(1) } : null;
}

/**
 * @param {string} note
 * @returns {Checkpoint | null}
 */
export function checkpointOf(note) {
  const cut = note.indexOf("\n\n");
  if (cut < 0 || note.length > 65536 || !note.endsWith("\n")) return null;
  const text = note.slice(0, cut + 1);
  const [origin = "", size = "", root = "", ...more] = text.slice(0, -1).split("\n");
  const decoded = fromBase64(root);
  if (origin === "" || !/^(0|[1-9][0-9]{0,14})$/.test(size) || decoded === null || decoded.length !== 32) return null;
  if (more.length > 16 || more.includes("")) return null;
  const signatures = [];
  for (const line of note.slice(cut + 2, -1).split("\n")) {
    const match = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/=]+)$/.exec(line);
    const bytes = match === null ? null : fromBase64(/** @type {string} */ (match[2]));
    if (match === null || bytes === null || bytes.length < 5) return null;
    signatures.push({ name: /** @type {string} */ (match[1]), line: bytes });
  }
  return { origin, size: Number(size), root: decoded, text, signatures };
}

/**
 * @param {Checkpoint} checkpoint
 * @param {NoteKey} key
 * @returns {Promise<"good" | "absent" | "bad" | "unknown">} unknown: this browser has no Ed25519
 */
export async function signedBy(checkpoint, key) {
  const id = key.id;
  const found = checkpoint.signatures.filter(({ name, line }) => name === key.name && toHex(line.subarray(0, 4)) === id);
  if (found.length === 0) return "absent";
  for (const { line } of found) {
    const isCosigner = key.type === 4;
    if (line.length !== (isCosigner ? 76 : 68)) return "bad";
    const signature = line.subarray(-64);
    let message = utf8(checkpoint.text);
    if (isCosigner) {
      const time = new DataView(line.buffer, line.byteOffset).getBigUint64(4);
      message = utf8(`cosignature/v1\ntime ${time}\n${checkpoint.text}`);
    }
    try {
      const loaded = await crypto.subtle.importKey("raw", Uint8Array.from(key.key), "Ed25519", false, ["verify"]);
      if (!(await crypto.subtle.verify("Ed25519", loaded, Uint8Array.from(signature), Uint8Array.from(message)))) return "bad";
    } catch {
      return "unknown";
    }
  }
  return "good";
}

/**
 * Root of the tree of RFC 9162, section 2.1.
 * @param {Uint8Array[]} entries
 * @returns {Uint8Array}
 */
export function treeRoot(entries) {
  /** @type {Uint8Array[]} roots of whole subtrees, the largest first */
  const stack = [];
  entries.forEach((entry, index) => {
    let node = sha256(concat(Uint8Array.of(0), entry));
    for (let rest = index; rest & 1; rest = Math.floor(rest / 2)) {
      node = sha256(concat(Uint8Array.of(1), /** @type {Uint8Array} */ (stack.pop()), node));
    }
    stack.push(node);
  });
  if (stack.length === 0) return sha256(new Uint8Array());
  return stack.reduceRight((right, left) => sha256(concat(Uint8Array.of(1), left, right)));
}

/**
 * @param {Uint8Array} bytes the extract
 * @param {{vkeys: string[], model: string, receiptId: string, now: number}} asked
 * @returns {Promise<ExtractAnswer>}
 */
export async function readExtract(bytes, asked) {
  const read = parseExtract(bytes);
  if (typeof read === "string") return { state: "false", message: read };
  const { checkpoint, entries } = read;
  if (entries.length !== checkpoint.size) {
    return { state: "false", message: `The checkpoint is over ${checkpoint.size} entries, the extract has ${entries.length}.` };
  }
  if (!sameBytes(treeRoot(entries), checkpoint.root)) {
    return { state: "false", message: "The entries are not those that the checkpoint was signed over." };
  }
  const keys = asked.vkeys.map(noteKey).filter((key) => key !== null);
  const { origin, size } = checkpoint;
  /** @type {TrackRecord} */
  const record = { ...auditEntries(entries, { ...asked, origin }), origin, size, model: asked.model, cosigners: [] };
  const log = keys.find((key) => key.type === 1 && key.name === checkpoint.origin);
  if (log === undefined) {
    return {
      state: "unsigned",
      message: `No key of the log ${checkpoint.origin} was given: who keeps it was not checked.`,
      record,
    };
  }
  const signed = await signedBy(checkpoint, log);
  if (signed === "unknown") {
    return { state: "unsigned", message: "This browser cannot check the log’s signature.", record };
  }
  if (signed !== "good") return { state: "false", message: "The checkpoint is not signed by the log’s key." };
  for (const key of keys.filter((one) => one.type === 4)) {
    if ((await signedBy(checkpoint, key)) === "good") record.cosigners.push(key.name);
  }
  return { state: "shown", record };
}

/**
 * @param {Uint8Array} bytes
 * @returns {{checkpoint: Checkpoint, entries: Uint8Array[]} | string} a sentence if it is no extract
 */
function parseExtract(bytes) {
  let value;
  try {
    value = JSON.parse(fromUtf8(bytes) ?? "");
  } catch {
    return "The log extract cannot be read.";
  }
  if (value?.version !== EXTRACT_VERSION || typeof value.checkpoint !== "string" || !Array.isArray(value.entries)) {
    return "The log extract has not the members of this version.";
  }
  if (value.entries.length > EXTRACT_MAX_ENTRIES) return `The extract has more than ${EXTRACT_MAX_ENTRIES} entries.`;
  const note = fromBase64(value.checkpoint);
  const checkpoint = note === null ? null : checkpointOf(fromUtf8(note) ?? "");
  if (checkpoint === null) return "The extract holds no checkpoint.";
  /** @type {Uint8Array[]} */
  const entries = [];
  for (const text of value.entries) {
    const entry = typeof text === "string" ? fromBase64(text) : null;
    if (entry === null || entry.length > ENTRY_MAX_BYTES) return `Entry ${entries.length} of the extract cannot be read.`;
    entries.push(entry);
  }
  return { checkpoint, entries };
}
