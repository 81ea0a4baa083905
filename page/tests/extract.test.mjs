import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { concat, toBase64, utf8 } from "../src/bytes.js";
import { checkpointOf, EXTRACT_VERSION, noteKey, readExtract, treeRoot } from "../src/extract.js";

const FOLDER = new URL("../../vectors/log/", import.meta.url);
const cases = JSON.parse(readFileSync(new URL("cases.json", FOLDER), "utf8"));
const note = readFileSync(new URL("example.checkpoint", FOLDER), "utf8");
const entries = [0, 1, 2].map((leaf) => {
  const proof = readFileSync(new URL(`valid/${leaf}.tlog-proof`, FOLDER), "utf8");
  return Uint8Array.from(Buffer.from(/^extra (.*)$/m.exec(proof)[1], "base64"));
});
const MODEL = `sha256:${"2e".repeat(32)}`;
const RECEIPT = `sha256:${"96".repeat(32)}`;

function extract(changes = {}) {
  const value = { version: EXTRACT_VERSION, checkpoint: toBase64(utf8(note)), entries: entries.map(toBase64), ...changes };
  return utf8(JSON.stringify(value));
}

const asked = (changes = {}) => ({ vkeys: [cases.log, cases.cosigner], model: MODEL, receiptId: RECEIPT, now: 1_796_000_100, ...changes });

test("an extract shows what became of every question to a model", async () => {
  const answer = await readExtract(extract(), asked());
  assert.equal(answer.state, "shown", answer.message);
  const [stream] = answer.record.streams;
  assert.deepEqual([stream.name, stream.intents, stream.results, stream.voids, stream.open], ["live", 2, 1, 0, 1]);
  assert.deepEqual(answer.record.findings, []);
  assert.deepEqual([answer.record.receiptIntent, answer.record.receiptResult], [0, 1]);
  assert.deepEqual(answer.record.cosigners, ["witness.example/w1"]);
});

test("without the log's key the record is said to be unsigned", async () => {
  assert.equal((await readExtract(extract(), asked({ vkeys: [] }))).state, "unsigned");
});

test("of another model there is nothing", async () => {
  const { record } = await readExtract(extract(), asked({ model: `sha256:${"00".repeat(32)}` }));
  assert.deepEqual(record.streams, []);
});

test("an extract is false when anything in it was changed", async () => {
  const changed = entries.map((entry) => entry.slice());
  changed[2][20] ^= 1;
  const forged = note.replace("\n3\n", "\n2\n");
  const other = cases.log.replace(/\+.*$/, "+00000000+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c");
  for (const [name, changes] of Object.entries({
    entry: { entries: changed.map(toBase64) },
    order: { entries: [entries[1], entries[0], entries[2]].map(toBase64) },
    left_out: { entries: entries.slice(0, 2).map(toBase64) },
    cut: { entries: entries.slice(0, 2).map(toBase64), checkpoint: toBase64(utf8(forged)) },
    twice: { entries: [...entries, entries[2]].map(toBase64) },
    unsigned: { checkpoint: toBase64(utf8(note.replace(/^— log.*\n/m, ""))) },
    signature: { checkpoint: toBase64(utf8(note.replace("kKxzsd07", "kKxzsd17"))) },
    note: { checkpoint: "" },
    version: { version: "veridical-log-extract/v2" },
    no_list: { entries: "" },
    no_base64: { entries: ["*"] },
  })) {
    assert.equal((await readExtract(extract(changes), asked())).state, "false", name);
  }
  assert.equal(noteKey(other), null);
  assert.equal((await readExtract(utf8("{"), asked())).state, "false");
});

test("a key of a log is read if its id fits", () => {
  assert.equal(noteKey(cases.log).name, "log.example/provider");
  assert.equal(noteKey(cases.cosigner).type, 4);
  for (const text of ["", "a+b+c", cases.log.replace("+90ac73b1", "+90ac73b2"), `${cases.log}A`]) assert.equal(noteKey(text), null);
});

test("a checkpoint has three lines and signatures", () => {
  const checkpoint = checkpointOf(note);
  assert.deepEqual([checkpoint.origin, checkpoint.size, checkpoint.signatures.length], ["log.example/provider", 3, 2]);
  for (const text of ["", "a\nb\n", note.replace("\n3\n", "\n03\n"), note.replace("—", "-"), note.trimEnd()]) assert.equal(checkpointOf(text), null);
});

test("the tree has the roots of the recursive definition at every size", () => {
  const leaves = Array.from({ length: 40 }, (_, at) => utf8(`entry ${at}`));
  const hash = (...parts) => Uint8Array.from(createHash("sha256").update(concat(...parts)).digest());
  const root = (list) => {
    if (list.length === 0) return hash();
    if (list.length === 1) return hash(Uint8Array.of(0), list[0]);
    let split = 1;
    while (2 * split < list.length) split *= 2;
    return hash(Uint8Array.of(1), root(list.slice(0, split)), root(list.slice(split)));
  };
  for (let size = 0; size <= leaves.length; size += 1) {
    assert.deepEqual(treeRoot(leaves.slice(0, size)), root(leaves.slice(0, size)), `size ${size}`);
  }
});
