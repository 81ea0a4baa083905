// What the page shows of one verification.

import { digest, fill, h, timeText } from "./dom.js";
import { adviceText, failureSentence, headline, MARKS, notShown, properties, tierText } from "./sentences.js";
import { firstElements, tensorsFromBase64 } from "./values.js";

/**
 * @typedef {import("./module.js").Answer} Answer
 * @typedef {import("./module.js").Check} Check
 * @typedef {Record<string, any>} Claims a bundle that was only read, never verified
 */

/**
 * @param {Element} place
 * @param {Answer} report
 * @param {{receipt: Claims | null, source: string}} context
 */
export function showVerdict(place, report, context) {
  const verdict = report.verdict ?? "none";
  const verified = /** @type {Record<string, any> | null} */ (report.verdict === "accepted" ? (report.verified ?? null) : null);
  const error = report.error;
  fill(
    place,
    h("p", { class: `verdict is-${verdict}` }, headline(report.verdict)),
    h("p", { class: "sentence" }, verified === null ? failureSentence(error, report.verdict) : acceptedSentence(verified)),
    error ? h("p", { class: "reason" }, reasonText(error)) : null,
    adviceText(error, report.verdict) === "" ? null : h("p", { class: "advice" }, adviceText(error, report.verdict)),
    h("ul", { class: "properties", "aria-label": "The three properties" }, properties(report).map(propertyLine)),
  );
  /** @type {HTMLElement} */ (place).dataset.receiptId = verified === null ? "" : String(verified.receipt_id);
  if (verified !== null) place.append(facts(verified), revealed(context.receipt), rests(verified), limits(verified));
  else if (context.receipt !== null) place.append(claims(context.receipt));
  if (report.checks && report.checks.length > 0) place.append(checkTable(report.checks));
}

/**
 * @param {Record<string, any>} verified
 * @returns {string}
 */
function acceptedSentence(verified) {
  const request = verified.statement?.request_id;
  return `This receipt holds under the rules that you gave${request ? `, for request ${request}` : ""}.`;
}

/**
 * @param {import("./module.js").Failure} error
 * @returns {string}
 */
function reasonText(error) {
  const where = error.where ? ` (at ${error.where})` : "";
  return `${error.check ? `Check ${error.check}: ` : ""}${error.message}${where}`;
}

/**
 * @param {import("./sentences.js").Property} property
 * @returns {HTMLElement}
 */
function propertyLine({ title, mark, sentence }) {
  return h(
    "li",
    { class: `property is-${mark}` },
    h("h3", {}, title),
    h("p", { class: "mark" }, MARKS[mark]),
    h("p", {}, sentence),
  );
}

/**
 * @param {[string, (Node | string | null)[]][]} rows
 * @returns {HTMLElement}
 */
export function table(rows) {
  return h("dl", {}, rows.map(([name, values]) => h("div", {}, h("dt", {}, name), h("dd", {}, values))));
}

/**
 * @param {Record<string, any>} verified
 * @returns {HTMLElement}
 */
function facts(verified) {
  const { statement, tier, signer, issued_at: issued, logged } = verified;
  const { name, assumption } = tierText(tier, verified.soundness_bits);
  const saturated = statement.input?.saturated ?? 0;
  return h(
    "section",
    { "aria-labelledby": "facts-title" },
    h("h2", { id: "facts-title" }, "What was checked"),
    table([
      ["Tier", [h("strong", {}, name), h("p", {}, assumption)]],
      ["Signed by", [signer ? digest(signer) : "nobody", h("p", {}, "A key that you accept.")]],
      ["Signed at", [issued === null ? "unknown" : timeText(issued), h("p", {}, "As the signer says.")]],
      ["Model", [digest(statement.model.digest), ...aliases(statement.model.aliases)]],
      ["Request", [statement.request_id || "no id was sent"]],
      ["Log", [logged ? loggedText(logged) : "Not checked: your rules name no log."]],
      ["Seed", [seedText(statement)]],
      ["Clamped", [saturated === 0 ? "No element of the question was outside the model’s range." : `${saturated} elements of the question lay outside the model’s range and were clamped.`]],
      ["Receipt", [digest(verified.receipt_id)]],
    ]),
  );
}

/**
 * @param {Record<string, string> | undefined} names
 * @returns {HTMLElement[]}
 */
function aliases(names) {
  return Object.entries(names ?? {}).map(([name, value]) => h("p", {}, `${name}: `, digest(value), " (the signer says so)"));
}

/**
 * @param {Record<string, any>} logged
 * @returns {string}
 */
function loggedText({ log, intent, result, cosigners }) {
  const names = Object.keys(cosigners ?? {});
  const by = names.length === 0 ? "no cosigner" : `cosigned by ${names.join(", ")}`;
  return `In ${log}: announced before it ran as entry ${intent}, closed by entry ${result}; ${by}.`;
}

/**
 * @param {Record<string, any>} statement
 * @returns {string}
 */
function seedText(statement) {
  const mode = statement.seed?.mode ?? "none";
  const sampler = statement.parameters?.decode?.sampler;
  if (mode === "none") return "Nothing was left to chance.";
  const from = mode === "vrf" ? "the question and the provider’s key" : "the question, the provider’s key and a public beacon";
  return `${sampler ? "The answer was drawn" : "A seed was drawn"} from ${from}; the draw was checked.`;
}

/**
 * @param {Claims | null} bundle
 * @returns {HTMLElement | string}
 */
function revealed(bundle) {
  const shown = Object.entries(bundle?.reveals ?? {}).filter(([, value]) => value?.bytes);
  if (shown.length === 0) return "";
  const names = /** @type {Record<string, string>} */ ({
    "input.received": "The question", "input.forwarded": "The question, as it was forwarded", "input.integers": "The question, in integers",
    "output.decoded": "The answer", "output.integers": "The answer, in integers",
  });
  const lists = shown.map(([field, value]) => {
    const tensors = tensorsFromBase64(value.bytes) ?? [];
    return h("div", {}, h("h3", {}, names[field] ?? field), tensors.map((tensor) => {
      const first = firstElements(tensor, 24);
      const more = tensor.shape.reduce((a, b) => a * b, 1) > first.length ? " …" : "";
      return h("p", {}, h("code", {}, `${tensor.name} (${tensor.dtype}, ${tensor.shape.join(" × ")})`), h("br"), h("span", { class: "numbers" }, `${first.join("  ")}${more}`));
    }));
  });
  return h("section", { "aria-labelledby": "reveals-title" }, h("h2", { id: "reveals-title" }, "What the receipt shows"), lists);
}

/**
 * @param {Record<string, any>} verified
 * @returns {HTMLElement}
 */
function rests(verified) {
  const lines = /** @type {string[]} */ (verified.assumptions ?? []);
  return h("section", { "aria-labelledby": "rests-title" }, h("h2", { id: "rests-title" }, "What this rests on"),
    h("ul", {}, [...lines, "this page: that the copy you opened is the published one"].map((line) => h("li", {}, sentenceCase(line)))));
}

/**
 * @param {string} line such as `log: none; ...`
 * @returns {string}
 */
function sentenceCase(line) {
  const text = line.replaceAll("'", "’");
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

/**
 * @param {Record<string, any>} verified
 * @returns {HTMLElement}
 */
function limits(verified) {
  return h("section", { "aria-labelledby": "limits-title" }, h("h2", { id: "limits-title" }, "What this does not show"),
    h("ul", {}, notShown(verified).map((line) => h("li", {}, line))));
}

/**
 * @param {Claims} bundle
 * @returns {HTMLElement}
 */
export function claims(bundle) {
  const { statement, envelopes } = bundle;
  const signers = (Array.isArray(envelopes) ? envelopes : []).map((envelope) => String(envelope?.signatures?.[0]?.keyid ?? "unknown"));
  return h(
    "section",
    { "aria-labelledby": "claims-title", class: "claims" },
    h("h2", { id: "claims-title" }, "What the receipt claims"),
    h("p", {}, "Nothing here was shown. It is what is written in the file."),
    table([
      ["Model", [digest(String(statement?.model?.digest ?? "none"))]],
      ["Request", [String(statement?.request_id || "no id")]],
      ["Signed by", signers.length === 0 ? ["nobody"] : signers.map((signer) => h("div", {}, digest(signer)))],
    ]),
  );
}

/**
 * @param {Check[]} checks
 * @returns {HTMLElement}
 */
function checkTable(checks) {
  const isOne = new Set(checks.map(({ envelope }) => envelope)).size <= 2; // no envelope, and the only one
  const rows = checks.map(({ check, name, envelope, status, detail }) =>
    h("tr", { class: `is-${status}` },
      h("td", {}, String(check)),
      h("th", { scope: "row" }, envelope === null || isOne ? name : `${name}, envelope ${envelope}`),
      h("td", { class: "ended" }, status),
      h("td", {}, detail)));
  return h("details", { class: "checks" },
    h("summary", {}, "Every check"),
    h("div", { class: "scrolls", tabindex: "0", role: "region", "aria-label": "Every check" },
      h("table", {},
        h("thead", {}, h("tr", {}, ["No.", "Check", "Ended", "Detail"].map((title) => h("th", { scope: "col" }, title)))),
        h("tbody", {}, rows))));
}
