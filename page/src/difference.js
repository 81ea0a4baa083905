// Where two texts differ, word by word.

/** @typedef {{kind: "same" | "removed" | "added", text: string}} Piece */

const MAX_WORDS = 4000;

/**
 * The shortest edit from one text to the other (Myers), in words and the white space between them.
 * @param {string} before
 * @param {string} after
 * @returns {Piece[]}
 */
export function difference(before, after) {
  const [a, b] = [words(before), words(after)];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end += 1;
  const middle = edits(a.slice(start, a.length - end), b.slice(start, b.length - end));
  const pieces = [
    ...a.slice(0, start).map((text) => piece("same", text)),
    ...middle,
    ...a.slice(a.length - end).map((text) => piece("same", text)),
  ];
  return joined(pieces);
}

/**
 * @param {Piece["kind"]} kind
 * @param {string} text
 * @returns {Piece}
 */
function piece(kind, text) {
  return { kind, text };
}

/**
 * @param {string} text
 * @returns {string[]}
 */
function words(text) {
  return text.match(/\s+|[\p{L}\p{N}_]+(?:[.,]\p{N}+)*|[^\s\p{L}\p{N}_]/gu) ?? [];
}

/**
 * @param {string[]} a
 * @param {string[]} b
 * @returns {Piece[]}
 */
function edits(a, b) {
  if (a.length + b.length > MAX_WORDS) return [piece("removed", a.join("")), piece("added", b.join(""))];
  /** @type {Map<number, number>[]} */
  const trace = [];
  const furthest = new Map([[1, 0]]);
  const at = (/** @type {number} */ k) => furthest.get(k) ?? -1;
  for (let depth = 0; ; depth += 1) {
    trace.push(new Map(furthest));
    for (let k = -depth; k <= depth; k += 2) {
      const down = k === -depth || (k !== depth && at(k - 1) < at(k + 1));
      let x = down ? at(k + 1) : at(k - 1) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x += 1;
      furthest.set(k, x);
      if (x >= a.length && x - k >= b.length) return backtrack(trace, a, b);
    }
  }
}

/**
 * @param {Map<number, number>[]} trace
 * @param {string[]} a
 * @param {string[]} b
 * @returns {Piece[]}
 */
function backtrack(trace, a, b) {
  /** @type {Piece[]} */
  const reversed = [];
  let [x, y] = [a.length, b.length];
  for (let depth = trace.length - 1; depth >= 0; depth -= 1) {
    const furthest = /** @type {Map<number, number>} */ (trace[depth]);
    const at = (/** @type {number} */ k) => furthest.get(k) ?? -1;
    const k = x - y;
    const before = k === -depth || (k !== depth && at(k - 1) < at(k + 1)) ? k + 1 : k - 1;
    const [fromX, fromY] = [at(before), at(before) - before];
    while (x > fromX && y > fromY && x > 0 && y > 0) {
      x -= 1;
      y -= 1;
      reversed.push(piece("same", /** @type {string} */ (a[x])));
    }
    if (depth === 0) break;
    if (x === fromX) reversed.push(piece("added", /** @type {string} */ (b[(y -= 1)])));
    else reversed.push(piece("removed", /** @type {string} */ (a[(x -= 1)])));
  }
  return reversed.reverse();
}

/**
 * @param {Piece[]} pieces
 * @returns {Piece[]}
 */
function joined(pieces) {
  /** @type {Piece[]} */
  const result = [];
  for (const { kind, text } of pieces) {
    const last = result.at(-1);
    if (last?.kind === kind) last.text += text;
    else if (text !== "") result.push({ kind, text });
  }
  return result;
}

/**
 * Characters outside printable ASCII with their code points, for a text that looks the same and is not.
 * @param {string} text
 * @returns {string}
 */
export function withCodePoints(text) {
  return text.replace(/[^\x20-\x7e\n]/gu, (character) => {
    const point = /** @type {number} */ (character.codePointAt(0)).toString(16).toUpperCase().padStart(4, "0");
    return /[\p{L}\p{N}\p{P}\p{S}]/u.test(character) ? `${character}⟨U+${point}⟩` : `⟨U+${point}⟩`;
  });
}
