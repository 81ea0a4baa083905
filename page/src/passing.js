// How a receipt is passed on: an address that holds it, and the same as a QR code.

import { fill, h, qrPicture } from "./dom.js";
import { fragmentOf, LINK_MAX_CHARACTERS } from "./permalink.js";
import { qrCode } from "./qr.js";
import { utf8 } from "./bytes.js";

const passing = { base: "" };

/**
 * @param {HTMLElement} place
 * @param {Uint8Array} receipt
 * @param {string[]} keys that the reader accepted; the next reader is asked again
 * @param {Record<string, any>} report
 */
export async function showLink(place, receipt, keys, report) {
  const fragment = await fragmentOf({ receipt, keys }).catch(() => null);
  if (fragment === null) return; // a browser that cannot compress
  const onGateway = /^\/(r\/|$)/.test(location.pathname) && location.protocol.startsWith("http");
  const id = report.verified?.receipt_id;
  place.hidden = false;
  const draw = () => {
    const fits = fragment.length <= LINK_MAX_CHARACTERS;
    const base = passing.base || `${location.origin === "null" ? "" : location.origin}${onGateway ? "/" : location.pathname}`;
    const address = location.protocol === "file:" && passing.base === "" ? location.href.split("#")[0] : base;
    const link = fits ? `${address}#${fragment}` : onGateway && id ? `${location.origin}/r/${id}` : "";
    const code = link === "" ? null : qrCode(utf8(link));
    fill(results, link === "" ? h("p", {}, "The receipt is too large for an address: pass the file on.") : linkLines(link, code));
  };
  const results = h("div", {});
  const base = /** @type {HTMLInputElement} */ (h("input", { type: "url", id: "link-base", placeholder: "https://", value: passing.base, autocomplete: "off", spellcheck: "false" }));
  base.addEventListener("change", () => {
    passing.base = /^https?:\/\/[^\s#]+$/.test(base.value) ? base.value : "";
    draw();
  });
  fill(
    place,
    h("h2", { id: "link-title" }, "Pass it on"),
    h("p", {}, "The link holds the whole receipt behind its #, which no browser sends anywhere. Whoever opens it checks it again, and decides anew which key to accept."),
    results,
    location.protocol === "file:"
      ? h("p", { class: "base" }, h("label", { for: "link-base" }, "This copy of the page lies on your disk. For others, give the address of a page that they reach:"), base)
      : null,
  );
  draw();
}

/**
 * @param {string} link
 * @param {import("./qr.js").QrCode | null} code
 * @returns {HTMLElement[]}
 */
function linkLines(link, code) {
  const field = /** @type {HTMLInputElement} */ (h("input", { type: "text", id: "permalink", readonly: true, value: link, "aria-label": "Link to this receipt" }));
  field.addEventListener("focus", () => field.select());
  const button = h("button", { type: "button" }, "Copy");
  button.addEventListener("click", () => {
    field.select();
    // On pages without TLS there is no clipboard; the address is selected for the reader's own keys.
    Promise.resolve(navigator.clipboard?.writeText(link) ?? Promise.reject(new Error("no clipboard"))).then(
      () => (button.textContent = "Copied"),
      () => (button.textContent = "Press Ctrl+C"),
    );
  });
  return [
    h("p", { class: "link" }, field, button),
    code === null ? h("p", {}, "The link is too long for a QR code.") : h("figure", {}, qrPicture(code, "QR code of the link to this receipt")),
  ];
}
