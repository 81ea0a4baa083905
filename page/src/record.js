// What the page shows of a log extract, and of a published text.

import { fromUtf8, utf8 } from "./bytes.js";
import { difference, withCodePoints } from "./difference.js";
import { digest, fill, h, timeText } from "./dom.js";
import { headline } from "./sentences.js";
import { table } from "./view.js";

/** What a finding means. */
const FINDINGS = /** @type {Record<string, string>} */ ({
  gap: "numbers are missing", duplicate: "a number was given twice", order: "a number is out of order",
  chain: "an announcement does not name the one before it", closed_twice: "a question was closed twice",
  dangling: "an end belongs to no question", statement_twice: "a receipt was entered twice",
  origin: "an announcement names another log", repeated: "one question was run again", time: "a time cannot be true", unknown: "an entry cannot be read",
});

/**
 * @param {Element} place
 * @param {import("./extract.js").ExtractAnswer} answer
 * @param {string} receiptId
 */
export function showRecord(place, answer, receiptId) {
  const { record } = answer;
  const title = h("h2", { id: "record-title" }, "The model’s record");
  if (record === undefined) {
    fill(place, title, h("p", { class: "verdict-line is-rejected" }, /** @type {{message: string}} */ (answer).message));
    return;
  }
  const sum = (/** @type {(stream: import("./audit.js").Stream) => number} */ of) => record.streams.reduce((total, stream) => total + of(stream), 0);
  const [asked, answered, voids, open] = [sum((s) => s.intents), sum((s) => s.results), sum((s) => s.voids), sum((s) => s.open)];
  const place2 = answer.state === "shown"
    ? `The log ${record.origin}, all ${record.size} entries${record.cosigners.length > 0 ? `, cosigned by ${record.cosigners.join(", ")}` : ", no cosigner checked"}.`
    : answer.message;
  fill(
    place,
    title,
    h("p", {}, asked === 0 ? "The log has no question to this model." : `Asked ${times(asked)}, answered ${times(answered)}.`),
    asked === 0 ? null : table([
      ["Closed", [voids === 0 ? "No question was closed without an answer." : `${voids} closed without an answer: ${reasons(record.streams)}.`]],
      ["Open", [open === 0 ? "No question is open." : `${open} ${open === 1 ? "is" : "are"} neither answered nor closed.`]],
      ...(sum((s) => s.repeats) === 0 ? [] : [/** @type {[string, string[]]} */ (["Came again", [`${sum((s) => s.repeats)} without a request id: the same question gives the same answer.`]])]),
      ["From, to", [timeText(record.first), " to ", timeText(record.last)]],
    ]),
    h("p", {}, findingText(record.findings)),
    receiptId === "" ? null : h("p", {}, record.receiptResult === null
      ? "This receipt is not in the extract."
      : `This receipt is entry ${record.receiptResult}; it was announced by entry ${record.receiptIntent}.`),
    h("p", { class: answer.state === "shown" ? "source" : "source is-undecided" }, place2),
  );
}

/**
 * @param {number} count
 * @returns {string}
 */
function times(count) {
  return count === 1 ? "once" : `${count.toLocaleString("en")} times`;
}

/**
 * @param {import("./audit.js").Stream[]} streams
 * @returns {string}
 */
function reasons(streams) {
  /** @type {Map<string, number>} */
  const all = new Map();
  for (const { reasons: found } of streams) for (const [reason, count] of found) all.set(reason, (all.get(reason) ?? 0) + count);
  return [...all].map(([reason, count]) => `${reason} ${count}`).join(", ");
}

/**
 * @param {import("./audit.js").Finding[]} findings
 * @returns {string}
 */
function findingText(findings) {
  if (findings.length === 0) return "Nothing in the whole log is missing, out of order or closed twice.";
  const kinds = [...new Set(findings.map(({ kind }) => kind))].map((kind) => FINDINGS[kind] ?? kind);
  return `The log breaks its own rules ${times(findings.length)}: ${kinds.join("; ")}.`;
}

/** Title and sentence of each relation; spec/v1/post.md, section 7. */
const RELATIONS = /** @type {Record<string, [string, string]>} */ ({
  exact: ["Unchanged", "The text is, byte for byte, what the template makes of the output."],
  excerpt: ["Unchanged excerpt", "The text is one unchanged piece of what the template makes of the output. What was left out may change its sense."],
  edited: ["Edited", "The text is not what the template makes of the output: somebody changed it."],
  unknown: ["Not compared", "The text could not be compared with the output."],
});
const HINTS = /** @type {Record<string, string>} */ ({
  normalisation: "Both look the same: only the composition of characters differs.",
  "white space": "Only white space differs.",
  part: "The text stands in another place of the whole.",
});

/**
 * @param {Element} place
 * @param {import("./module.js").Answer} answer
 * @param {{start: number, end: number}} excerpt
 * @param {(() => void) | null} acceptTemplate
 */
export function showPost(place, answer, excerpt, acceptTemplate) {
  const relation = String(answer.relation ?? "unknown");
  const [name, sentence] = RELATIONS[relation] ?? ["Not compared", "This page does not know this relation."];
  const filled = typeof answer.filled === "string" ? utf8(answer.filled) : null;
  const published = String(answer.text ?? "");
  const isEdited = relation === "edited" && filled !== null;
  const tone = relation === "edited" ? "rejected" : answer.verdict === "accepted" ? "accepted" : answer.verdict === "rejected" ? "rejected" : "undecided";
  const values = Array.isArray(answer.values) ? answer.values : [];
  fill(
    place,
    h("h2", { id: "post-title" }, "The published text"),
    h("p", { class: `verdict-line is-${tone}` }, name),
    h("p", {}, sentence),
    answer.verdict === "accepted" ? null : h("p", { class: "reason" }, verdictText(answer)),
    isEdited ? differenceView(fromUtf8(filled.subarray(excerpt.start, excerpt.end)) ?? "", published) : null,
    isEdited && answer.hint ? h("p", {}, HINTS[String(answer.hint)] ?? "") : null,
    filled === null ? h("blockquote", {}, published) : null,
    filled === null ? null : h("h3", {}, isEdited ? "What the model’s output gives" : "The text, and where it comes from"),
    filled === null ? null : h("blockquote", {}, marked(filled, values, excerpt)),
    filled === null ? null : h("p", { class: "legend" }, h("mark", {}, "Marked"), " is the model’s output; the rest are words of the template",
      excerpt.start > 0 || excerpt.end < filled.length ? [", and what is ", h("span", { class: "left-out" }, "pale"), " was left out"] : null, "."),
    acceptTemplate === null ? null : h("p", {}, h("button", { type: "button", click: acceptTemplate }, "I accept the words of this template")),
    answer.template_digest ? table([["Template", [digest(String(answer.template_digest))]]]) : null,
  );
}

/**
 * @param {import("./module.js").Answer} answer
 * @returns {string}
 */
function verdictText(answer) {
  const check = answer.error?.check ?? "";
  if (check === "post.template" && answer.verdict === "undecided") {
    return "Not decided: the words around the output are the template’s. Read them, and say whether you accept them.";
  }
  return `${headline(answer.verdict)}: ${answer.error?.message ?? "no reason was given"}.`;
}

/**
 * @param {Uint8Array} filled
 * @param {[number, number][]} values
 * @param {{start: number, end: number}} excerpt
 * @returns {HTMLElement[]}
 */
function marked(filled, values, excerpt) {
  const cuts = [...new Set([0, filled.length, excerpt.start, excerpt.end, ...values.flat()])].filter((cut) => cut <= filled.length);
  cuts.sort((a, b) => a - b);
  return cuts.slice(0, -1).map((start, index) => {
    const end = /** @type {number} */ (cuts[index + 1]);
    const text = new TextDecoder().decode(filled.subarray(start, end));
    const isValue = values.some(([from, to]) => from <= start && end <= to);
    const isOut = end <= excerpt.start || start >= excerpt.end;
    return h(isValue ? "mark" : "span", { class: isOut ? "left-out" : "kept" }, text);
  });
}

/**
 * @param {string} before
 * @param {string} after
 * @returns {HTMLElement}
 */
export function differenceView(before, after) {
  const pieces = difference(before, after).map(({ kind, text }) => {
    if (kind === "same") return text;
    const shown = withCodePoints(text);
    const [tag, label] = kind === "added" ? ["ins", "added: "] : ["del", "removed: "];
    return h(tag, {}, h("span", { class: "for-readers" }, label), shown);
  });
  return h("div", {},
    h("p", { class: "legend" }, h("del", {}, "removed"), " from what the output gives, ", h("ins", {}, "added"), " by somebody else."),
    h("blockquote", { class: "difference" }, pieces));
}
