import assert from "node:assert/strict";
import { test } from "node:test";

import { auditEntries } from "../src/audit.js";
import { concat, frame, toHex, utf8 } from "../src/bytes.js";
import { sha256 } from "../src/sha256.js";

const MODEL = `sha256:${"2e".repeat(32)}`;
const ORIGIN = "log.example/x";
const canonical = (entry) => JSON.stringify(Object.fromEntries(Object.keys(entry).sort().map((name) => [name, entry[name]])));
const digestOf = (entry) => `sha256:${toHex(sha256(concat(frame("veridical.intent.v1"), frame(utf8(canonical(entry))))))}`;

const intent = (number, previous, more = {}) => ({
  input: `sha256-salted:${"97".repeat(32)}`, model: MODEL, number, origin: ORIGIN, parameters: `sha256:${"5d".repeat(32)}`, previous,
  request_id: "", seed: "none", seed_key: "", stream: "s", time: 5, type: "veridical-intent/v1", ...more,
});
const result = (at, more = {}) => ({ intent: at, statement: `sha256:${"96".repeat(32)}`, time: 6, type: "veridical-result/v1", ...more });
const closed = (at, reason = "failed", time = 7) => ({ intent: at, reason, time, type: "veridical-void/v1" });

function audit(entries, asked = {}) {
  const bytes = entries.map((entry) => utf8(typeof entry === "string" ? entry : canonical(entry)));
  return auditEntries(bytes, { origin: ORIGIN, now: 100, model: "", receiptId: "", ...asked });
}
const findings = (...entries) => audit(entries).findings.map(({ kind, leaf }) => `${kind} ${leaf}`);

test("every rule that entries break is found, at its leaf", () => {
  const first = intent(0, "");
  const other = `sha256:${"00".repeat(32)}`;
  const second = intent(1, digestOf(first));
  assert.deepEqual(findings(first, second, result(0), closed(1)), []);
  assert.deepEqual(findings(first, intent(1, other)), ["chain 1"]);
  assert.deepEqual(findings(first, intent(2, other)), ["gap 1"]);
  assert.deepEqual(findings(first, intent(0, "")), ["duplicate 1"]);
  assert.deepEqual(findings(intent(1, other), first), ["order 1"]);
  assert.deepEqual(findings(first, result(0), closed(0)), ["closed_twice 2"]);
  assert.deepEqual(findings(result(4)), ["dangling 0"]);
  assert.deepEqual(findings(first, second, result(0), result(1)), ["statement_twice 3"]);
  assert.deepEqual(findings(intent(0, "", { origin: "log.example/y" })), ["origin 0"]);
  assert.deepEqual(findings(intent(0, "", { time: 161 })), ["time 0"]);
  assert.deepEqual(findings(first, intent(1, digestOf(first), { time: 2 })), ["time 1"]);
  assert.deepEqual(findings(intent(0, "", { time: 50 }), closed(0)), ["time 1"]);
  const named = intent(0, "", { request_id: "order-1" });
  assert.deepEqual(findings(named, intent(1, digestOf(named), { request_id: "order-1" })), ["repeated 1"]);
});

test("an entry that has not its one form is unknown", () => {
  const text = canonical(intent(0, ""));
  for (const broken of ["", "[]", "null", `${text} `, text.replace('"number":0', '"number":0.0'), text.replace('"number":0', '"number":1'),
    text.replace('"seed":"none"', '"seed":"vrf"'), text.replace('"stream":"s"', '"stream":"\\u0073"'), text.replace('"stream":"s"', '"stream":""'),
    text.replace('"stream":"s"', '"stream":"ß"'), text.replace('"time":5', '"time":5,"time":5'), text.replace('"time":5', '"time":-1'),
    canonical({ ...intent(0, ""), more: 1 }), canonical({ type: "__proto__" }), canonical(closed(0, ""))]) {
    assert.deepEqual(findings(broken), ["unknown 0"], broken);
  }
});

test("counts are of one model, findings of all", () => {
  const first = intent(0, "");
  const second = intent(1, digestOf(first), { model: `sha256:${"aa".repeat(32)}` });
  const { streams } = audit([first, second, closed(0), closed(1)], { model: MODEL });
  assert.deepEqual(streams.map(({ name, intents, voids, open }) => [name, intents, voids, open]), [["s", 1, 1, 0]]);
});

test("reasons with the names of a language are counted like others", () => {
  const { streams } = audit([intent(0, ""), closed(0, "__proto__")]);
  assert.equal(streams[0].reasons.get("__proto__"), 1);
});
