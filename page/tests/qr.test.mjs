import assert from "node:assert/strict";
import { test } from "node:test";

import jsQR from "jsqr";

import { qrCode } from "../src/qr.js";

/** What another program reads from a code. */
function read(code) {
  const [scale, quiet] = [3, 4];
  const side = (code.size + 2 * quiet) * scale;
  const pixels = new Uint8ClampedArray(4 * side * side).fill(255);
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      const [row, column] = [y, x].map((at) => Math.floor(at / scale) - quiet);
      const inside = row >= 0 && column >= 0 && row < code.size && column < code.size;
      if (inside && code.dark(row, column)) pixels.fill(0, 4 * (y * side + x), 4 * (y * side + x) + 3);
    }
  }
  const found = jsQR(pixels, side, side, { inversionAttempts: "dontInvert" });
  return found === null ? null : String.fromCharCode(...found.binaryData);
}

test("codes have the size of the standard, and another program reads them", () => {
  let last = 0;
  let versions = 0;
  for (let length = 1; length <= 2953; length += 1) {
    const content = Array.from({ length }, (_, at) => "abcDEF019-_#/:".charAt((at * 5 + length) % 14)).join("");
    // The first length of each version has the most padding.
    const size = sizeOf(length);
    if (size === last) continue;
    last = size;
    versions += 1;
    const code = qrCode(new TextEncoder().encode(content));
    assert.equal(code.size, size, `length ${length}`);
    // jsQR looks for an alignment pattern of version 23 at 74, where the standard has it at 78; zbar reads ours.
    if (versions === 23) assert.ok(code.dark(78, 78) && !code.dark(77, 78) && code.dark(76, 78));
    else if (versions < 11 || versions % 5 === 2) assert.equal(read(code), content, `length ${length}`);
  }
  assert.equal(versions, 40);
});

/** Largest contents of versions 1 to 40 in byte mode and level L, as the standard's table 7 lists them. */
const CAPACITIES = [
  17, 32, 53, 78, 106, 134, 154, 192, 230, 271, 321, 367, 425, 458, 520, 586, 644, 718, 792, 858, 929, 1003, 1091, 1171, 1273, 1367, 1465,
  1528, 1628, 1732, 1840, 1952, 2068, 2188, 2303, 2431, 2563, 2699, 2809, 2953,
];

function sizeOf(length) {
  return 21 + 4 * CAPACITIES.findIndex((capacity) => length <= capacity);
}

test("the fullest code is read, and there is none beyond it", () => {
  const content = "x".repeat(2953);
  assert.equal(read(qrCode(new TextEncoder().encode(content))), content);
  assert.equal(qrCode(new Uint8Array(2954)), null);
});
