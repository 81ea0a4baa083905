import assert from "node:assert/strict";
import { test } from "node:test";

import { checkPost, verifyReceipt } from "../src/module.js";
import { compiled, perform } from "../src/work.js";
import { moduleAnswering } from "./modules.mjs";

const RECEIPT = new TextEncoder().encode("{}");

function verdict(answer) {
  const module = new WebAssembly.Module(moduleAnswering(answer));
  return verifyReceipt(module, RECEIPT, { now: 1 }, new Uint8Array());
}

test("an answer comes through as it is", () => {
  assert.deepEqual(verdict('{"verdict":"accepted","verified":{}}'), { verdict: "accepted", verified: {} });
  assert.equal(verdict('{"verdict":"accepted"}').verdict, "rejected");
  assert.equal(verdict('{"verdict":"accepted","verified":null}').verdict, "rejected");
  const module = new WebAssembly.Module(moduleAnswering('{"verdict":"undecided"}'));
  assert.equal(checkPost(module, RECEIPT, RECEIPT, {}).verdict, "undecided");
});

test("a trap reads as rejected", () => {
  const answer = verdict(null);
  assert.equal(answer.verdict, "rejected");
  assert.equal(answer.error.name, "VerifierTrap");
});

test("an answer that is not understood reads as rejected", () => {
  for (const text of ["", "{", "[]", "null", "true", '"accepted"', '{"verdict":"Accepted"}', '{"verdict":true}', '{"accepted":true}', "{}"]) {
    assert.equal(verdict(text).verdict, "rejected", text);
  }
});

test("a module without the function accepts nothing", () => {
  const module = new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
  assert.equal(verifyReceipt(module, RECEIPT, {}, RECEIPT).verdict, "rejected");
});

test("a verifier that cannot be loaded leaves everything undecided", async () => {
  const task = { task: "verify", receipt: RECEIPT, options: {}, program: new Uint8Array() };
  for (const code of [new Uint8Array(), Uint8Array.of(1, 2, 3), moduleAnswering('{"verdict":"accepted"}').slice(0, 40)]) {
    const answer = await perform(compiled(code), task);
    assert.equal(answer.verdict, "undecided");
    assert.equal(answer.error.name, "VerifierMissing");
  }
});
