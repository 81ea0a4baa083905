// A receipt inside an address: behind `#`, which no browser sends to a server.
// Spec: spec/v1/page.md, section 6.

import { concat, frame, fromBase64Url, fromUtf8, toBase64Url } from "./bytes.js";
import { inflated } from "./values.js";

/** Longer addresses are cut by some programs that pass them on. */
export const LINK_MAX_CHARACTERS = 16_000;
const LINK_MAX_BYTES = 16 * 1024 * 1024;

/** @typedef {{receipt: Uint8Array, keys: string[]}} Linked */

/**
 * @param {Linked} linked a receipt, and keys that are proposed to the reader
 * @returns {Promise<string>} the fragment, without `#`
 */
export async function fragmentOf({ receipt, keys }) {
  const content = concat(frame(receipt), ...keys.map((key) => frame(key)));
  const packed = new Blob([Uint8Array.from(content)]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  return `r1=${toBase64Url(new Uint8Array(await new Response(packed).arrayBuffer()))}`;
}

/**
 * @param {string} fragment without `#`
 * @returns {Promise<Linked | null>} null if it holds no receipt
 */
export async function linkedIn(fragment) {
  if (!fragment.startsWith("r1=")) return null;
  const packed = fromBase64Url(fragment.slice(3));
  if (packed === null) return null;
  let content;
  try {
    content = await inflated(packed, LINK_MAX_BYTES);
  } catch {
    return null;
  }
  const parts = frames(content);
  const [receipt, ...keys] = parts ?? [];
  if (receipt === undefined || keys.length > 8) return null;
  return { receipt, keys: keys.map((key) => fromUtf8(key) ?? "").filter((key) => key !== "") };
}

/**
 * @param {Uint8Array} bytes
 * @returns {Uint8Array[] | null}
 */
function frames(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < 8) return null;
    const length = Number(view.getBigUint64(at, true));
    at += 8;
    if (length > bytes.length - at) return null;
    parts.push(bytes.subarray(at, at + length));
    at += length;
  }
  return parts;
}

/**
 * The address of a receipt on a gateway, if this page is one.
 * @param {string} path of the page's own address
 * @returns {string | null} the receipt id
 */
export function idInPath(path) {
  const id = /^\/r\/((?:sha256:)?[0-9a-f]{64})$/.exec(decodeURIComponent(path))?.[1];
  return id === undefined ? null : id.startsWith("sha256:") ? id : `sha256:${id}`;
}
