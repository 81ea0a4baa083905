// What became of every question in a log, and which of the log's rules its entries break.
// Spec: spec/v1/log.md, sections 4 and 8. The counts are of one model, the findings of the whole log.

import { concat, frame, fromUtf8, toHex } from "./bytes.js";
import { sha256 } from "./sha256.js";

/**
 * @typedef {{kind: string, leaf: number}} Finding
 * @typedef {{name: string, intents: number, results: number, voids: number, open: number, repeats: number, reasons: Map<string, number>}} Stream
 * @typedef {{streams: Stream[], findings: Finding[], receiptIntent: number | null, receiptResult: number | null, first: number, last: number}} Audit
 * @typedef {{type: string, time: number, stream: string, number: number, previous: string, model: string, input: string, parameters: string,
 *   request_id: string, seed: string, seed_key: string, origin: string, intent: number, statement: string, reason: string}} LogEntry
 * @typedef {{last: number, digest: string, seen: Set<number>, time: number, leaves: [number, number][]}} Chain
 */

/** What clocks may differ by: back between two entries, and ahead of the reader's. */
const BACK_SECONDS = 2;
const FUTURE_SECONDS = 60;

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const COMMITMENT = /^sha256(?:-salted)?:[0-9a-f]{64}$/;
const SHORT = /^.{1,256}$/;

/** The members of each type of entry, and what they look like. */
const ENTRY_MEMBERS = /** @type {Record<string, Record<string, RegExp | "count">>} */ ({
  "veridical-intent/v1": {
    input: COMMITMENT, model: DIGEST, number: "count", origin: SHORT, parameters: DIGEST, previous: /^(?:sha256:[0-9a-f]{64})?$/,
    request_id: /^.{0,256}$/, seed: /^(?:none|vrf|vrf\+beacon)$/, seed_key: /^(?:[0-9a-f]{64})?$/, stream: SHORT, time: "count", type: SHORT,
  },
  "veridical-result/v1": { intent: "count", statement: DIGEST, time: "count", type: SHORT },
  "veridical-void/v1": { intent: "count", reason: SHORT, time: "count", type: SHORT },
});

/**
 * @param {Uint8Array[]} entries
 * @param {{origin: string, now: number, model: string, receiptId: string}} asked an empty model is every one
 * @returns {Audit}
 */
export function auditEntries(entries, asked) {
  const auditor = new Auditor(asked);
  entries.forEach((bytes, leaf) => auditor.take(bytes, leaf));
  return auditor.finish();
}

class Auditor {
  /** @param {{origin: string, now: number, model: string, receiptId: string}} asked */
  constructor(asked) {
    this.asked = asked;
    /** @type {Map<string, Chain>} */
    this.chains = new Map();
    /** @type {Map<string, Stream>} */
    this.streams = new Map();
    /** @type {Map<number, {stream: Stream | null, time: number, closed: boolean}>} */
    this.intents = new Map();
    /** @type {Map<string, number>} the first leaf of each question, and of each receipt */
    this.questions = new Map();
    /** @type {Set<string>} */
    this.statements = new Set();
    /** @type {Audit} */
    this.audit = { streams: [], findings: [], receiptIntent: null, receiptResult: null, first: 0, last: 0 };
  }

  /**
   * @param {string} kind
   * @param {number} leaf
   */
  find(kind, leaf) {
    this.audit.findings.push({ kind, leaf });
  }

  /**
   * @param {Uint8Array} bytes
   * @param {number} leaf
   */
  take(bytes, leaf) {
    const entry = entryOf(bytes);
    if (entry === null) {
      this.find("unknown", leaf);
      return;
    }
    if (entry.time > this.asked.now + FUTURE_SECONDS) this.find("time", leaf);
    if (entry.type === "veridical-intent/v1") this.open(entry, bytes, leaf);
    else this.close(entry, leaf);
  }

  /**
   * @param {LogEntry} entry
   * @param {Uint8Array} bytes
   * @param {number} leaf
   */
  open(entry, bytes, leaf) {
    const chain = this.chains.get(entry.stream) ?? { last: -1, digest: "", seen: new Set(), time: 0, leaves: [] };
    this.chains.set(entry.stream, chain);
    const stream = this.counted(entry);
    if (entry.origin !== this.asked.origin) this.find("origin", leaf);
    if (entry.time + BACK_SECONDS < chain.time) this.find("time", leaf);
    const question = `${entry.model} ${entry.input} ${entry.parameters} ${entry.request_id}`;
    if (!this.questions.has(question)) this.questions.set(question, leaf);
    else if (entry.request_id !== "" || entry.seed !== "none") this.find("repeated", leaf);
    else if (stream !== null) stream.repeats += 1;
    this.follow(chain, entry, bytes, leaf);
    this.intents.set(leaf, { stream, time: entry.time, closed: false });
  }

  /**
   * @param {LogEntry} entry
   * @returns {Stream | null} where it is counted, if it is of the model that was asked for
   */
  counted(entry) {
    const { audit, asked } = this;
    if (asked.model !== "" && entry.model !== asked.model) return null;
    const stream = this.streams.get(entry.stream) ?? { name: entry.stream, intents: 0, results: 0, voids: 0, open: 0, repeats: 0, reasons: new Map() };
    this.streams.set(entry.stream, stream);
    audit.first = stream.intents === 0 && this.streams.size === 1 ? entry.time : Math.min(audit.first, entry.time);
    audit.last = Math.max(audit.last, entry.time);
    stream.intents += 1;
    return stream;
  }

  /**
   * @param {Chain} chain
   * @param {LogEntry} entry
   * @param {Uint8Array} bytes
   * @param {number} leaf
   */
  follow(chain, entry, bytes, leaf) {
    if (chain.seen.has(entry.number)) this.find("duplicate", leaf);
    else if (entry.number < chain.last) this.find("order", leaf);
    else if (entry.number === chain.last + 1 && entry.previous !== chain.digest) this.find("chain", leaf);
    chain.seen.add(entry.number);
    chain.leaves.push([entry.number, leaf]);
    chain.time = entry.time;
    if (entry.number > chain.last) {
      chain.last = entry.number;
      chain.digest = `sha256:${toHex(sha256(concat(frame("veridical.intent.v1"), frame(bytes))))}`;
    }
  }

  /**
   * @param {LogEntry} entry
   * @param {number} leaf
   */
  close(entry, leaf) {
    const isResult = entry.type === "veridical-result/v1";
    if (isResult) {
      if (this.statements.has(entry.statement)) this.find("statement_twice", leaf);
      this.statements.add(entry.statement);
      if (entry.statement === this.asked.receiptId) [this.audit.receiptIntent, this.audit.receiptResult] = [entry.intent, leaf];
    }
    const opened = this.intents.get(entry.intent);
    if (opened === undefined) {
      this.find("dangling", leaf);
      return;
    }
    if (entry.time + BACK_SECONDS < opened.time) this.find("time", leaf);
    if (opened.closed) {
      this.find("closed_twice", leaf);
      return;
    }
    opened.closed = true;
    if (opened.stream === null) return;
    if (isResult) opened.stream.results += 1;
    else {
      opened.stream.voids += 1;
      opened.stream.reasons.set(entry.reason, (opened.stream.reasons.get(entry.reason) ?? 0) + 1);
    }
  }

  /** @returns {Audit} gaps that were filled later are out of order, not missing */
  finish() {
    for (const { last, seen, leaves } of this.chains.values()) {
      if (last + 1 === seen.size) continue;
      let first = 0;
      while (seen.has(first)) first += 1;
      const after = leaves.filter(([number]) => number > first).reduce((a, b) => (b[0] < a[0] ? b : a));
      this.find("gap", after[1]);
    }
    for (const { stream, closed } of this.intents.values()) if (stream !== null && !closed) stream.open += 1;
    this.audit.streams = [...this.streams.values()];
    return this.audit;
  }
}

/**
 * @param {Uint8Array} bytes
 * @returns {LogEntry | null} null if it is none of the three, or not in its one form
 */
function entryOf(bytes) {
  const text = fromUtf8(bytes) ?? "";
  let entry;
  try {
    entry = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) return null;
  const members = Object.hasOwn(ENTRY_MEMBERS, String(entry.type)) ? ENTRY_MEMBERS[String(entry.type)] : undefined;
  if (members === undefined) return null;
  const names = Object.keys(members);
  // Names in order, printable texts without escapes, whole numbers: one encoding for each entry.
  if (JSON.stringify(Object.fromEntries(names.map((name) => [name, entry[name]]))) !== text) return null;
  if (!/^[\x20-\x5b\x5d-\x7e]*$/.test(text)) return null;
  for (const [name, form] of Object.entries(members)) {
    const value = entry[name];
    if (form === "count" ? !(Number.isSafeInteger(value) && value >= 0) : !(typeof value === "string" && form.test(value))) return null;
  }
  if (entry.type !== "veridical-intent/v1") return entry;
  return (entry.number === 0) === (entry.previous === "") && (entry.seed === "none") === (entry.seed_key === "") ? entry : null;
}
