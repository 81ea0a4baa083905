import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { concat, frame, toBase64, toHex, utf8 } from "../src/bytes.js";
import { checkpointOf, EXTRACT_VERSION, noteKey, readExtract, treeRoot } from "../src/extract.js";
import { sha256 } from "../src/sha256.js";

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

const asked = (changes = {}) => ({ vkeys: [cases.log, cases.cosigner], model: MODEL, receiptId: RECEIPT, ...changes });

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

/** An unsigned extract over entries that are made here. */
async function findings(made) {
  const contents = made.map((entry) => utf8(JSON.stringify(entry)));
  const head = `log.example/x\n${contents.length}\n${toBase64(treeRoot(contents))}\n\n— log.example/x AAAAAAAA\n`;
  const bytes = extract({ checkpoint: toBase64(utf8(head)), entries: contents.map(toBase64) });
  const answer = await readExtract(bytes, asked({ vkeys: [], model: "" }));
  assert.equal(answer.state, "unsigned", answer.message);
  return answer.record.findings.map(({ kind }) => kind);
}

const intent = (number, previous, more = {}) => ({ type: "veridical-intent/v1", stream: "s", number, previous, model: MODEL, time: 5, ...more });
const digestOf = (entry) => `sha256:${toHex(sha256(concat(frame("veridical.intent.v1"), frame(utf8(JSON.stringify(entry))))))}`;

test("every rule that entries break is found", async () => {
  const first = intent(0, "");
  const result = (at) => ({ type: "veridical-result/v1", intent: at, statement: `sha256:${at}`, time: 6 });
  assert.deepEqual(await findings([first, intent(1, digestOf(first))]), []);
  assert.deepEqual(await findings([first, intent(1, "sha256:other")]), ["chain"]);
  assert.deepEqual(await findings([first, intent(2, "")]), ["gap"]);
  assert.deepEqual(await findings([first, first]), ["duplicate"]);
  assert.deepEqual(await findings([intent(1, ""), first]), ["order"]);
  assert.deepEqual(await findings([first, result(0), { type: "veridical-void/v1", intent: 0, reason: "failed", time: 7 }]), ["closed_twice"]);
  assert.deepEqual(await findings([result(4)]), ["dangling"]);
  assert.deepEqual(await findings([first, result(0), { ...result(0), intent: 0 }]), ["statement_twice", "closed_twice"]);
  assert.deepEqual(await findings([{ type: "other", time: 1 }, intent(0, "", { origin: "log.example/y" })]), ["unknown", "unknown"]);
});

test("reasons with the names of a language are counted like others", async () => {
  const made = [intent(0, ""), { type: "veridical-void/v1", intent: 0, reason: "__proto__", time: 7 }].map((entry) => utf8(JSON.stringify(entry)));
  const head = `log.example/x\n2\n${toBase64(treeRoot(made))}\n\n— log.example/x AAAAAAAA\n`;
  const { record } = await readExtract(extract({ checkpoint: toBase64(utf8(head)), entries: made.map(toBase64) }), asked({ vkeys: [] }));
  assert.equal(record.streams[0].reasons.get("__proto__"), 1);
});
