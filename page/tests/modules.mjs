// Small WebAssembly modules that answer as they are told: what a host does with an answer can be tested without a verifier.

const text = (value) => [...new TextEncoder().encode(value)];

/** A number in LEB128. */
function leb(value) {
  const bytes = [];
  do {
    bytes.push((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    value >>>= 7;
  } while (value > 0);
  return bytes;
}

/** A number in signed LEB128, as constants are written. */
function signed(value) {
  const bytes = [];
  while (value > 63) {
    bytes.push((value & 0x7f) | 0x80);
    value >>= 7;
  }
  return [...bytes, value];
}

const vector = (items) => [...leb(items.length), ...items.flat()];
const section = (id, bytes) => [id, ...leb(bytes.length), ...bytes];
const body = (...code) => [...leb(code.length + 2), 0, ...code, 0x0b];

/**
 * A module with the exports of the verifier, whose every answer is `answer`; or which traps, or never ends.
 * @param {string | null | undefined} answer null to trap, undefined to go on forever
 * @returns {Uint8Array}
 */
export function moduleAnswering(answer) {
  const I32 = 0x7f;
  const ANSWER_AT = 1024;
  const BUFFERS_AT = 0x200000;
  const types = [
    [0x60, ...vector([[I32]]), ...vector([[I32]])],
    [0x60, ...vector([[I32], [I32]]), ...vector([])],
    [0x60, ...vector(Array(6).fill([I32])), ...vector([[I32]])],
  ];
  const forever = [0x03, 0x40, 0x0c, 0x00, 0x0b, 0x00];
  const result = answer === undefined ? forever : answer === null ? [0x00] : [0x41, ...signed(ANSWER_AT)];
  const codes = [body(0x41, ...signed(BUFFERS_AT)), body(), body(...result)];
  const names = ["veridical_verify_receipt", "veridical_check_post"].map((name) => [...vector(text(name)), 0, 2]);
  const exported = [[...vector(text("memory")), 2, 0], [...vector(text("veridical_alloc")), 0, 0], [...vector(text("veridical_free")), 0, 1], ...names];
  const content = text(answer ?? "");
  const framed = [...new Uint8Array(Uint32Array.of(content.length).buffer), ...content];
  return Uint8Array.from([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, vector(types)),
    ...section(3, vector([[0], [1], [2]])),
    ...section(5, vector([[0, ...leb(1024)]])),
    ...section(7, vector(exported)),
    ...section(10, vector(codes)),
    ...section(11, vector([[0, 0x41, ...signed(ANSWER_AT), 0x0b, ...vector(framed)]])),
  ]);
}
