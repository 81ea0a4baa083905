// QR codes (ISO/IEC 18004), byte mode, error correction L: for addresses that are read from a screen.

/** Error correction codewords in a block, and blocks, for versions 1 to 40 of level L. */
const CORRECTION = [
  7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28, 28, 28, 30, 30, 26, 28, 30, 30, 30, 30,
  30, 30, 30, 30, 30, 30, 30, 30, 30, 30,
];
const BLOCKS = [
  1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8, 8, 9, 9, 10, 12, 12, 12, 13, 14, 15, 16, 17, 18, 19, 19, 20,
  21, 22, 24, 25,
];
const LEVEL_L = 1;

/** @typedef {{size: number, dark: (row: number, column: number) => boolean}} QrCode */

/**
 * @param {Uint8Array} bytes
 * @returns {QrCode | null} null if there is no code that large
 */
export function qrCode(bytes) {
  for (let version = 1; version <= 40; version += 1) {
    const capacity = dataCodewords(version);
    const header = 4 + (version < 10 ? 8 : 16);
    if (header + 8 * bytes.length <= 8 * capacity) {
      return draw(version, interleaved(version, codewords(bytes, header - 4, capacity)));
    }
  }
  return null;
}

/**
 * @param {number[]} list
 * @param {number} at
 * @returns {number}
 */
function item(list, at) {
  return /** @type {number} */ (list[at]);
}

/**
 * @param {number} version
 * @returns {number} modules for data and correction
 */
function rawModules(version) {
  const alignments = version === 1 ? 0 : Math.floor(version / 7) + 2;
  let modules = (16 * version + 128) * version + 64;
  if (alignments > 0) modules -= (25 * alignments - 10) * alignments - 55;
  return version < 7 ? modules : modules - 36;
}

/**
 * @param {number} version
 * @returns {number}
 */
function dataCodewords(version) {
  return Math.floor(rawModules(version) / 8) - item(CORRECTION, version - 1) * item(BLOCKS, version - 1);
}

/**
 * @param {Uint8Array} bytes
 * @param {number} lengthBits
 * @param {number} capacity
 * @returns {number[]}
 */
function codewords(bytes, lengthBits, capacity) {
  /** @type {number[]} */
  const bits = [];
  /** @param {number} value @param {number} count */
  const append = (value, count) => {
    for (let at = count - 1; at >= 0; at -= 1) bits.push((value >>> at) & 1);
  };
  append(4, 4);
  append(bytes.length, lengthBits);
  for (const byte of bytes) append(byte, 8);
  append(0, Math.min(4, 8 * capacity - bits.length));
  while (bits.length % 8 !== 0) bits.push(0);
  const words = [];
  for (let at = 0; at < bits.length; at += 8) words.push(parseInt(bits.slice(at, at + 8).join(""), 2));
  for (let pad = 0xec; words.length < capacity; pad ^= 0xec ^ 0x11) words.push(pad);
  return words;
}

/**
 * @param {number} a
 * @param {number} b
 * @returns {number} product in GF(2^8) modulo 0x11d
 */
function product(a, b) {
  let product = 0;
  for (let bit = 7; bit >= 0; bit -= 1) {
    product = (product << 1) ^ ((product >>> 7) * 0x11d);
    product ^= ((b >>> bit) & 1) * a;
  }
  return product;
}

/**
 * @param {number} degree
 * @returns {number[]} the generator of a Reed–Solomon code, without its leading 1
 */
function generator(degree) {
  const polynomial = [...Array(degree - 1).fill(0), 1];
  let root = 1;
  for (let round = 0; round < degree; round += 1) {
    for (let at = 0; at < degree; at += 1) {
      polynomial[at] = product(polynomial[at], root) ^ (polynomial[at + 1] ?? 0);
    }
    root = product(root, 2);
  }
  return polynomial;
}

/**
 * @param {number[]} words
 * @param {number[]} divisor
 * @returns {number[]}
 */
function remainder(words, divisor) {
  const rest = divisor.map(() => 0);
  for (const word of words) {
    const factor = word ^ item(rest, 0);
    rest.shift();
    rest.push(0);
    divisor.forEach((coefficient, at) => (rest[at] = item(rest, at) ^ product(coefficient, factor)));
  }
  return rest;
}

/**
 * @param {number} version
 * @param {number[]} words
 * @returns {number[]} data and correction, column by column over the blocks
 */
function interleaved(version, words) {
  const count = item(BLOCKS, version - 1);
  const correction = item(CORRECTION, version - 1);
  const short = Math.floor(words.length / count);
  const longer = words.length % count;
  const divisor = generator(correction);
  const blocks = [];
  for (let at = 0, index = 0; index < count; index += 1) {
    const length = short + (index < count - longer ? 0 : 1);
    blocks.push(words.slice(at, at + length));
    at += length;
  }
  const checks = blocks.map((block) => remainder(block, divisor));
  const all = [];
  for (let at = 0; at <= short; at += 1) for (const block of blocks) if (at < block.length) all.push(item(block, at));
  for (let at = 0; at < correction; at += 1) for (const check of checks) all.push(item(check, at));
  return all;
}

/**
 * @param {number} version
 * @param {number[]} words
 * @returns {QrCode}
 */
function draw(version, words) {
  const size = 4 * version + 17;
  const dark = new Uint8Array(size * size);
  const fixed = new Uint8Array(size * size);
  /** @param {number} row @param {number} column @param {boolean | number} value */
  const set = (row, column, value) => {
    if (row < 0 || column < 0 || row >= size || column >= size) return;
    dark[row * size + column] = Number(value);
    fixed[row * size + column] = 1;
  };
  drawPatterns(version, size, set);
  drawFormat(size, 0, set);
  let bit = 0;
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    const upward = ((right + 1) & 2) === 0;
    for (let step = 0; step < size; step += 1) {
      const row = upward ? size - 1 - step : step;
      for (const column of [right, right - 1]) {
        const at = row * size + column;
        if (fixed[at]) continue;
        dark[at] = bit < 8 * words.length ? (item(words, bit >>> 3) >>> (7 - (bit & 7))) & 1 : 0;
        bit += 1;
      }
    }
  }
  const masked = MASKS.map((mask, index) => {
    const copy = dark.map((module, at) => module ^ Number(!fixed[at] && mask(Math.floor(at / size), at % size)));
    drawFormat(size, index, (row, column, value) => (copy[row * size + column] = Number(value)));
    return { copy, penalty: penalty(copy, size) };
  });
  const best = masked.reduce((a, b) => (b.penalty < a.penalty ? b : a)).copy;
  return { size, dark: (row, column) => best[row * size + column] === 1 };
}

/** @type {((row: number, column: number) => boolean)[]} */
const MASKS = [
  (row, column) => (row + column) % 2 === 0,
  (row) => row % 2 === 0,
  (_, column) => column % 3 === 0,
  (row, column) => (row + column) % 3 === 0,
  (row, column) => (Math.floor(row / 2) + Math.floor(column / 3)) % 2 === 0,
  (row, column) => ((row * column) % 2) + ((row * column) % 3) === 0,
  (row, column) => (((row * column) % 2) + ((row * column) % 3)) % 2 === 0,
  (row, column) => (((row + column) % 2) + ((row * column) % 3)) % 2 === 0,
];

/**
 * @param {number} version
 * @param {number} size
 * @param {(row: number, column: number, value: boolean) => void} set
 */
function drawPatterns(version, size, set) {
  for (let at = 0; at < size; at += 1) {
    set(6, at, at % 2 === 0);
    set(at, 6, at % 2 === 0);
  }
  for (const [row, column] of [[3, 3], [3, size - 4], [size - 4, 3]]) {
    for (let y = -4; y <= 4; y += 1) {
      for (let x = -4; x <= 4; x += 1) {
        const distance = Math.max(Math.abs(x), Math.abs(y));
        set(/** @type {number} */ (row) + y, /** @type {number} */ (column) + x, distance !== 2 && distance !== 4);
      }
    }
  }
  const centres = alignmentCentres(version, size);
  const last = centres.length - 1;
  centres.forEach((row, i) =>
    centres.forEach((column, j) => {
      if ((i === 0 && (j === 0 || j === last)) || (i === last && j === 0)) return;
      for (let y = -2; y <= 2; y += 1) {
        for (let x = -2; x <= 2; x += 1) set(row + y, column + x, Math.max(Math.abs(x), Math.abs(y)) !== 1);
      }
    }),
  );
  if (version >= 7) {
    const bits = (version << 12) | checkBits(version, 12, 0x1f25);
    for (let at = 0; at < 18; at += 1) {
      const value = ((bits >>> at) & 1) === 1;
      set(Math.floor(at / 3), size - 11 + (at % 3), value);
      set(size - 11 + (at % 3), Math.floor(at / 3), value);
    }
  }
}

/**
 * @param {number} version
 * @param {number} size
 * @returns {number[]}
 */
function alignmentCentres(version, size) {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const step = Math.floor((version * 8 + count * 3 + 5) / (count * 4 - 4)) * 2;
  const centres = [6];
  for (let at = size - 7; centres.length < count; at -= step) centres.splice(1, 0, at);
  return centres;
}

/**
 * @param {number} value
 * @param {number} count
 * @param {number} polynomial
 * @returns {number} bits of a BCH code
 */
function checkBits(value, count, polynomial) {
  let rest = value;
  for (let at = 0; at < count; at += 1) rest = (rest << 1) ^ ((rest >>> (count - 1)) * polynomial);
  return rest;
}

/**
 * @param {number} size
 * @param {number} mask
 * @param {(row: number, column: number, value: boolean) => void} set
 */
function drawFormat(size, mask, set) {
  const value = (LEVEL_L << 3) | mask;
  const bits = ((value << 10) | checkBits(value, 10, 0x537)) ^ 0x5412;
  /** @param {number} at */
  const bit = (at) => ((bits >>> at) & 1) === 1;
  for (let at = 0; at <= 5; at += 1) set(at, 8, bit(at));
  set(7, 8, bit(6));
  set(8, 8, bit(7));
  set(8, 7, bit(8));
  for (let at = 9; at < 15; at += 1) set(8, 14 - at, bit(at));
  for (let at = 0; at < 8; at += 1) set(8, size - 1 - at, bit(at));
  for (let at = 8; at < 15; at += 1) set(size - 15 + at, 8, bit(at));
  set(size - 8, 8, true);
}

/**
 * @param {Uint8Array} modules
 * @param {number} size
 * @returns {number} how hard the code would be to read
 */
function penalty(modules, size) {
  let points = 0;
  for (const [along, across] of [[1, size], [size, 1]]) {
    for (let line = 0; line < size; line += 1) {
      const start = line * /** @type {number} */ (across);
      let text = "";
      for (let at = 0; at < size; at += 1) text += modules[start + at * /** @type {number} */ (along)] ? "1" : "0";
      for (const run of text.match(/0{5,}|1{5,}/g) ?? []) points += run.length - 2;
      for (const pattern of ["10111010000", "00001011101"]) {
        for (let at = text.indexOf(pattern); at >= 0; at = text.indexOf(pattern, at + 1)) points += 40;
      }
    }
  }
  for (let row = 0; row + 1 < size; row += 1) {
    for (let column = 0; column + 1 < size; column += 1) {
      const at = row * size + column;
      const sum = [0, 1, size, size + 1].reduce((total, by) => total + /** @type {number} */ (modules[at + by]), 0);
      if (sum === 0 || sum === 4) points += 3;
    }
  }
  const share = modules.reduce((sum, module) => sum + module, 0) / (size * size);
  return points + 10 * Math.floor(Math.abs(share - 0.5) * 20);
}
