import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";

import { frame, fromBase64, fromBase64Url, toBase64, toBase64Url, toHex } from "../src/bytes.js";
import { sha256 } from "../src/sha256.js";

test("SHA-256 gives the digests of another implementation at every length around a block", () => {
  for (let length = 0; length < 200; length += 1) {
    const message = Uint8Array.from(randomBytes(length));
    assert.equal(toHex(sha256(message)), createHash("sha256").update(message).digest("hex"));
  }
});

test("base64 is read in its one form", () => {
  for (let length = 0; length < 70; length += 1) {
    const bytes = Uint8Array.from(randomBytes(length));
    assert.equal(toBase64(bytes), Buffer.from(bytes).toString("base64"));
    assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
    assert.deepEqual(fromBase64Url(toBase64Url(bytes)), bytes);
  }
  for (const text of ["A", "AA", "AB==", "AAB=", "A===", "AA=A", "AA==\n", "_-8="]) {
    assert.equal(fromBase64(text), null, text);
  }
  assert.equal(fromBase64Url("A"), null);
});

test("long bytes become one base64 text", () => {
  const bytes = Uint8Array.from(randomBytes(100_001));
  assert.equal(toBase64(bytes), Buffer.from(bytes).toString("base64"));
});

test("a frame is the length and the content", () => {
  assert.equal(toHex(frame("ab")), "02000000000000006162");
});
