// What an operator sees of a gateway at a glance: GET /v1/overview, as text.  Spec: spec/v1/serve.md, section 9.

import { byId, digest, fill, h, timeText } from "./dom.js";
import { startTheme } from "./theme.js";

const REFRESH_MILLISECONDS = 10_000;

/** Meaning of a finding of the audit; spec/v1/log.md, section 8. */
const MEANINGS = /** @type {Record<string, string>} */ ({
  gap: "a number is missing", duplicate: "a number is given twice", order: "a number is lower than the one before it",
  chain: "the intent before it is not named", closed_twice: "an intent is closed twice", dangling: "an end without an intent",
  statement_twice: "a receipt is entered twice", origin: "an intent names another log", repeated: "one question is run again",
  time: "a time cannot be true", unknown: "an entry that is none",
});

const operator = { key: "", isAsking: false };

function beginDashboard() {
  startTheme();
  byId("ask-key").addEventListener("submit", (event) => {
    event.preventDefault();
    operator.key = /** @type {HTMLInputElement} */ (byId("key")).value.trim();
    void refresh();
  });
  setInterval(() => {
    if (document.visibilityState === "visible") void refresh();
  }, REFRESH_MILLISECONDS);
  document.addEventListener("visibilitychange", () => void refresh());
  void refresh();
}

async function refresh() {
  if (operator.isAsking) return;
  operator.isAsking = true;
  try {
    const headers = { Accept: "application/json", ...(operator.key === "" ? {} : { "X-API-Key": operator.key }) };
    const response = await fetch("/v1/overview", { headers, cache: "no-store" });
    byId("ask-key").hidden = response.status !== 401 && response.status !== 403;
    if (!byId("ask-key").hidden) {
      byId("figures").hidden = true;
      tell(operator.key === "" ? "This gateway asks who you are." : "That is not the key of an operator.", "undecided");
    } else if (response.ok) {
      showOverview(await response.json());
    } else {
      tell(`The gateway answers with status ${response.status}. The figures below are older.`, "rejected");
    }
  } catch {
    tell("The gateway does not answer. The figures below are older.", "rejected");
  } finally {
    operator.isAsking = false;
  }
}

/**
 * @param {string} text
 * @param {string} tone
 */
function tell(text, tone) {
  const place = byId("health");
  place.className = `lead is-${tone}`;
  if (place.textContent !== text) place.textContent = text;
}

/** @param {Record<string, any>} overview */
export function showOverview(overview) {
  byId("figures").hidden = false;
  const problem = String(overview.problem ?? "");
  tell(problem === "" ? "Ready." : `Not ready: ${problem}.`, problem === "" ? "accepted" : "rejected");
  showModels(overview);
  showQueue(overview.jobs ?? {});
  showLog(overview);
  showAudit(overview.audit ?? null, overview.log ?? null);
}

/**
 * @param {string[]} titles
 * @param {(Node | string)[][]} rows
 * @param {string} label
 * @returns {HTMLElement}
 */
function figures(titles, rows, label) {
  return h("div", { class: "scrolls", tabindex: "0", role: "region", "aria-label": label },
    h("table", {},
      h("thead", {}, h("tr", {}, titles.map((title, at) => h("th", { scope: "col", class: at > 0 ? "number" : "" }, title)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell, at) => (at === 0 ? h("th", { scope: "row" }, cell) : h("td", { class: "number" }, cell))))))));
}

/**
 * @param {unknown} value
 * @returns {string}
 */
function counted(value) {
  return Number(value ?? 0).toLocaleString("en");
}

/** @param {Record<string, any>} overview */
function showModels({ models = [], receipts = {} }) {
  const tiers = [...new Set(["reexecution", "zk", ...Object.keys(receipts)])];
  const rows = models.map((/** @type {any} */ model) => [
    h("span", {}, String(model.name), " ", digest(`${String(model.digest).slice(0, 19)}…`)),
    ...tiers.map((tier) => counted(model.receipts?.[tier])),
  ]);
  rows.push([h("strong", {}, "All"), ...tiers.map((tier) => h("strong", {}, counted(receipts[tier])))]);
  fill(byId("models"), figures(["Receipts by tier", ...tiers], rows, "Receipts of each model by tier"));
}

/** @param {Record<string, number>} jobs */
function showQueue(jobs) {
  const waiting = Number(jobs.queued ?? 0) + Number(jobs.running ?? 0) + Number(jobs.proven ?? 0);
  fill(byId("queue"),
    h("p", {}, waiting === 0 ? "No proof is waiting." : `${counted(waiting)} ${waiting === 1 ? "proof is" : "proofs are"} on the way.`),
    figures(["All proofs", ...Object.keys(jobs)], [["Number", ...Object.values(jobs).map(counted)]], "Proofs by state"));
}

/** @param {Record<string, any>} overview */
function showLog({ log, signer, now }) {
  const facts = [["Signer", digest(String(signer ?? ""))], ["Read at", timeText(Number(now ?? 0))]];
  if (!log) {
    fill(byId("log"), h("p", { class: "is-undecided" }, "No log is kept: nobody can see answers that were thrown away."), definitions(facts));
    return;
  }
  const [origin = "", , root = ""] = String(log.checkpoint).split("\n");
  const signatures = String(log.checkpoint).split("\n").filter((line) => line.startsWith("\u2014 ")).length;
  fill(byId("log"), definitions([
    ["Origin", origin],
    ["Entries", counted(log.size)],
    ["Root", h("code", { class: "digest" }, root)],
    ["Signatures", signatures === 1 ? "the log alone; no cosigner" : `the log and ${signatures - 1} more`],
    ["Key", h("code", { class: "digest" }, String(log.vkey))],
    ...facts,
  ]));
}

/**
 * @param {(string | Node)[][]} rows
 * @returns {HTMLElement}
 */
function definitions(rows) {
  return h("dl", {}, rows.map(([name, value]) => h("div", {}, h("dt", {}, /** @type {string} */ (name)), h("dd", {}, /** @type {string} */ (value)))));
}

/**
 * @param {Record<string, any> | null} audit
 * @param {Record<string, any> | null} log
 */
function showAudit(audit, log) {
  if (audit === null) {
    fill(byId("audit"), h("p", {}, log === null ? "There is nothing to audit." : "No audit has ended yet; the first one takes about a minute."));
    return;
  }
  const findings = /** @type {any[]} */ (audit.findings ?? []);
  const streams = /** @type {any[]} */ (audit.streams ?? []);
  const total = Object.values(audit.counts ?? {}).reduce((/** @type {number} */ sum, number) => sum + Number(number), 0);
  const isClean = total === 0 && findings.length === 0 && !audit.problem;
  fill(
    byId("audit"),
    h("p", { class: isClean ? "is-accepted" : "is-rejected" }, audit.problem ? `${audit.problem}.` : isClean ? "Nothing found." : total === 1 ? "One finding." : `${counted(total)} findings.`),
    h("p", { class: "source" }, `Over ${counted(audit.size)} entries, at `, timeText(Number(audit.at ?? 0)), "."),
    streams.length === 0 ? null : figures(["Stream", "Asked", "Answered", "Void", "Open"],
      streams.map((one) => [String(one.stream), counted(one.intents), counted(one.results), `${counted(one.voids)} (${(100 * Number(one.void_rate ?? 0)).toFixed(1)} %)`, counted(one.open)]), "What became of every question, by stream"),
    findings.length === 0 ? null : h("ul", { class: "findings" }, findings.map((finding) =>
      h("li", {}, h("strong", {}, String(finding.kind)), ` (${MEANINGS[finding.kind] ?? "unknown"}), leaf ${finding.leaf}${finding.stream ? `, ${finding.stream}` : ""}: ${finding.detail}`))),
  );
}

beginDashboard();
