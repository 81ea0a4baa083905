// Two receipts to look at, for whoever has none: an honest one, and the same with one digit changed.

import { fromBase64, fromUtf8, utf8 } from "./bytes.js";
import { byId } from "./dom.js";
import { itemOf } from "./items.js";

/**
 * @typedef {import("./items.js").Item} Item
 * @returns {{id: string, items: () => Promise<Item[]>}[]}
 */
export function examples() {
  return [
    { id: "example-honest", items: () => example((receipt) => receipt) },
    // The statement is the part that is read; the signature is over its digest.
    { id: "example-forged", items: () => example((receipt) => receipt.replace('"count":4', '"count":5')) },
  ];
}

/**
 * @param {(receipt: string) => string} change
 * @returns {Promise<Item[]>}
 */
async function example(change) {
  const files = /** @type {Record<string, string>} */ (JSON.parse(byId("example").textContent ?? "{}"));
  const items = [];
  for (const [name, encoded] of Object.entries(files)) {
    const bytes = fromBase64(encoded) ?? new Uint8Array();
    const isReceipt = name.endsWith(".receipt.json");
    items.push(await itemOf(name, isReceipt ? utf8(change(fromUtf8(bytes) ?? "")) : bytes));
  }
  return items;
}
