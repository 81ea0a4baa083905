import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { toBase64, utf8 } from "../src/bytes.js";
import { difference, withCodePoints } from "../src/difference.js";
import { itemOf } from "../src/items.js";
import { fragmentOf, idInPath, linkedIn } from "../src/permalink.js";
import { policyOf, vkeysIn } from "../src/policy.js";
import { failureSentence, notShown, properties, tierText } from "../src/sentences.js";
import { canonicalTensors, firstElements, readProtocol, tensorsOf } from "../src/values.js";

const VECTORS = new URL("../../vectors/", import.meta.url);
const vector = (path) => new Uint8Array(readFileSync(new URL(path, VECTORS)));
const WISHES = { policy: "", keyFiles: new Map(), keys: [], vkeys: [], nonce: "", hasQuestion: false, hasAnswer: false };

test("a difference gives both texts again", () => {
  const pairs = [["", ""], ["a b c", "a b c"], ["a b c", ""], ["", "a"], ["the cat sat", "the dog sat down"], ["1.5 %", "15 %"], ["a a a b", "b a a"]];
  for (let round = 0; round < 300; round += 1) {
    const word = () => "ab .c\n"[Math.floor(Math.random() * 6)];
    pairs.push([0, 0].map(() => Array.from({ length: Math.floor(Math.random() * 30) }, word).join("")));
  }
  for (const [before, after] of pairs) {
    const pieces = difference(before, after);
    const join = (kind) => pieces.filter((piece) => piece.kind !== kind).map(({ text }) => text).join("");
    assert.deepEqual([join("added"), join("removed")], [before, after]);
  }
  assert.deepEqual(difference("risk 12 %", "risk 2 %").map(({ kind, text }) => `${kind} ${text}`), ["same risk ", "removed 12", "added 2", "same  %"]);
});

test("characters that look like others are named", () => {
  assert.equal(withCodePoints("pаy\u200b"), "pа⟨U+0430⟩y⟨U+200B⟩");
});

test("a receipt goes through an address and comes back", async () => {
  const receipt = vector("receipt/valid/plain.receipt.json");
  const keys = [readFileSync(new URL("receipt/keys/ed25519.pub", VECTORS), "utf8")];
  const fragment = await fragmentOf({ receipt, keys });
  assert.match(fragment, /^r1=[A-Za-z0-9_-]+$/);
  const linked = await linkedIn(fragment);
  assert.deepEqual(linked.receipt, receipt);
  assert.deepEqual(linked.keys, keys);
  for (const broken of ["", "r1", "r2=AA", "r1=*", "r1=AAAA", fragment.slice(0, -9), `r1=${"A".repeat(500)}`]) {
    assert.equal(await linkedIn(broken), null, broken);
  }
});

test("an address that unpacks to more than a receipt holds nothing", async () => {
  const bomb = await fragmentOf({ receipt: new Uint8Array(17 * 1024 * 1024), keys: [] });
  assert.equal(await linkedIn(bomb), null);
});

test("the id of a receipt stands in a gateway's address", () => {
  const id = "ab".repeat(32);
  assert.equal(idInPath(`/r/${id}`), `sha256:${id}`);
  assert.equal(idInPath(`/r/sha256:${id}`), `sha256:${id}`);
  assert.equal(idInPath(`/r/sha256%3A${id}`), `sha256:${id}`);
  for (const path of ["/", "/r/", `/r/${id}x`, `/x/r/${id}`, `/r/${id}/..`]) assert.equal(idInPath(path), null);
});

test("there is no default policy", () => {
  assert.ok("message" in policyOf(WISHES));
  assert.ok("message" in policyOf({ ...WISHES, nonce: "x", hasQuestion: true, vkeys: ["log.example/a+00000000+AQ=="] }));
});

test("what was given becomes rules", () => {
  const { toml } = policyOf({ ...WISHES, keys: ["PEM\n\"\\"], nonce: 'a"b', hasQuestion: true, hasAnswer: true });
  assert.equal(toml, 'version = "veridical-policy/v1"\n\n[[rule]]\ntype = "trusted_signers"\nkeys = ["PEM\\n\\"\\\\"]\n\n[[rule]]\ntype = "expect_input"\n\n[[rule]]\ntype = "expect_output"\n\n[[rule]]\ntype = "nonce"\nvalue = "a\\"b"\n');
});

test("files of keys that a policy names are put into it, or asked for", () => {
  const policy = 'version = "veridical-policy/v1"\n[[rule]]\ntype = "trusted_signers"\n  key_files = ["keys/a.pub", "b.pub"] # mine\n';
  assert.match(policyOf({ ...WISHES, policy, keyFiles: new Map([["a.pub", "A"]]) }).message, /b\.pub/);
  const { toml } = policyOf({ ...WISHES, policy, keyFiles: new Map([["a.pub", "A"], ["b.pub", "B"]]) });
  assert.equal(toml, policy.replace('key_files = ["keys/a.pub", "b.pub"]', 'keys = ["A", "B"]'));
  assert.deepEqual(vkeysIn('logs = ["log.example/p+90ac73b1+AYqI", "no"]'), ["log.example/p+90ac73b1+AYqI"]);
});

test("a file is what is in it, whatever its name", async () => {
  const kind = async (bytes, name = "x.bin") => (await itemOf(name, bytes)).kind;
  assert.equal(await kind(vector("receipt/valid/plain.receipt.json")), "receipt");
  assert.equal(await kind(vector("receipt/invalid/truncated.receipt.json")), "receipt");
  assert.equal(await kind(vector("receipt/keys/p256.pub")), "key");
  assert.equal(await kind(vector("receipt/policy.toml")), "policy");
  assert.equal(await kind(vector("program/example.vprog")), "program");
  assert.equal(await kind(vector("program/salted.vkey")), "program");
  assert.equal(await kind(vector("receipt/refused_keys/private_key.pub")), "refused");
  assert.equal(await kind(vector("post/report.template")), "template");
  assert.equal(await kind(vector("post/posts/exact.post.json")), "post");
  assert.equal(await kind(utf8(JSON.parse(readFileSync(new URL("log/cases.json", VECTORS), "utf8")).log)), "vkey");
  assert.equal(await kind(utf8("The risk is 12 %.")), "text");
  assert.equal(await kind(Uint8Array.from(randomBytes(64)).fill(255, 0, 4)), "refused");
  assert.equal(await kind(utf8('{"a":1}')), "refused");
});

test("requests of the inference protocol become the bytes that a receipt commits to", () => {
  const given = JSON.parse(readFileSync(new URL("receipt/given.json", VECTORS), "utf8"));
  const expected = Uint8Array.from(Buffer.from(given.input, "hex"));
  const [tensor] = tensorsOf(expected);
  const data = firstElements(tensor, 6).map(Number);
  const read = readProtocol({ inputs: [{ name: tensor.name, datatype: "FP32", shape: tensor.shape, data }] });
  assert.deepEqual(canonicalTensors(read.tensors), expected);
  for (const bad of [null, {}, { inputs: [] }, { inputs: [{ name: "x", datatype: "FP16", shape: [1], data: [1] }] },
    { inputs: [{ name: "x", datatype: "FP32", shape: [2], data: [1] }] }, { inputs: [{ name: "x", datatype: "INT64", shape: [1], data: [2 ** 60] }] }]) {
    assert.ok("message" in readProtocol(bad), JSON.stringify(bad));
  }
});

test("tensor bytes that are cut are none", () => {
  const bytes = Uint8Array.from(Buffer.from(JSON.parse(readFileSync(new URL("receipt/given.json", VECTORS), "utf8")).output, "hex"));
  for (let length = 0; length < bytes.length; length += 1) assert.equal(tensorsOf(bytes.slice(0, length)), null);
});

test("nothing reads as shown unless the verdict is accepted", () => {
  const verified = { properties: { input: "matched", model: "matched and re-executed", output: "matched and re-executed" } };
  assert.deepEqual(properties({ verdict: "accepted", verified }).map(({ mark }) => mark), ["shown", "shown", "shown"]);
  for (const verdict of ["rejected", "undecided", null]) {
    const error = { advice: "", check: "tier", message: "", name: "ReexecutionError", where: null };
    for (const { mark } of properties({ verdict, verified, error })) assert.ok(["open", "false"].includes(mark));
  }
  assert.ok(properties({ verdict: "accepted" }).every(({ mark }) => mark === "open"));
  assert.ok(properties({ verdict: "accepted", verified: { properties: { input: "new word" } } }).every(({ mark }) => mark === "open"));
});

test("every check of the specification has a sentence of its own", () => {
  const text = readFileSync(new URL("../../spec/v1/receipt.md", import.meta.url), "utf8").split("## 8. Verification")[1];
  const checks = [...text.matchAll(/^\d+\. \*\*(\w+)\*\*/gm)].map((match) => match[1]);
  assert.ok(checks.length >= 17);
  const sentences = checks.map((check) => failureSentence({ advice: "", check, message: "", name: "Error", where: null }, "rejected"));
  assert.equal(new Set(sentences).size, checks.length);
});

test("what is not shown depends on what was", () => {
  assert.ok(notShown({ logged: null, tier: "zk" }).some((line) => line.includes("no log was checked")));
  assert.ok(notShown({ logged: { cosigners: {} } }).some((line) => line.includes("cosigner")));
  assert.match(tierText("zk", 100).assumption, /2\^100/);
  assert.match(tierText("new", null).assumption, /does not know/);
});

test("names of arrays are unique and sorted by their bytes", () => {
  const tensor = (name) => ({ name, dtype: "u8", shape: [1], elements: Uint8Array.of(1) });
  assert.deepEqual(tensorsOf(canonicalTensors([tensor("b"), tensor("B")])).map(({ name }) => name), ["B", "b"]);
  const twice = { name: "x", datatype: "UINT8", shape: [1], data: [1] };
  assert.ok("message" in readProtocol({ inputs: [twice, twice] }));
  assert.equal(toBase64(new Uint8Array()), "");
});
