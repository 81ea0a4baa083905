// The page: what was given, what was asked, what came of it.

import { fromBase64, fromUtf8, toBase64, utf8 } from "./bytes.js";
import { byId, fill, h } from "./dom.js";
import { examples } from "./examples.js";
import { itemOf, ITEM_MAX_BYTES, KIND_NAMES, receiptInAnswer, SINGLE } from "./items.js";
import { stopped } from "./module.js";
import { showLink } from "./passing.js";
import { idInPath, linkedIn } from "./permalink.js";
import { policyOf, vkeysIn } from "./policy.js";
import { showPost, showRecord } from "./record.js";
import { startTheme } from "./theme.js";
import { claims, showVerdict } from "./view.js";
import { serveTasks, Workshop } from "./work.js";

/**
 * @typedef {import("./items.js").Item} Item
 * @typedef {{pem: string, source: string, isAccepted: boolean}} OfferedKey
 */

const state = {
  /** @type {Item[]} */
  items: [],
  /** @type {OfferedKey[]} keys that somebody else proposes */
  offered: [],
  nonce: "",
  acceptedTemplate: "",
  /** @type {Workshop | null} */
  workshop: null,
  round: 0,
};

/**
 * @param {import("./items.js").Kind} kind
 * @returns {Item | undefined}
 */
function given(kind) {
  return state.items.find((item) => item.kind === kind);
}

/** Begins: the worker has no document. */
function begin() {
  if (typeof document === "undefined") {
    serveTasks();
    return;
  }
  const script = /** @type {HTMLScriptElement} */ (document.currentScript).text;
  const code = fromBase64(byId("verifier").textContent?.trim() ?? "") ?? new Uint8Array();
  state.workshop = new Workshop(code, script);
  startTheme();
  listen();
  void readAddress();
  addEventListener("hashchange", () => void readAddress());
  update();
}

function listen() {
  const files = /** @type {HTMLInputElement} */ (byId("files"));
  files.addEventListener("change", () => void addFiles(files.files).then(() => (files.value = "")));
  const area = byId("drop");
  for (const name of ["dragenter", "dragover"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      area.classList.add("is-over");
    });
  }
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) area.classList.remove("is-over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    area.classList.remove("is-over");
    void addFiles(event.dataTransfer?.files ?? null);
  });
  document.addEventListener("paste", (event) => {
    if (event.target instanceof HTMLTextAreaElement || event.target instanceof HTMLInputElement) return;
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (event.clipboardData?.files.length) void addFiles(event.clipboardData.files);
    else if (text !== "") void addText(text);
  });
  const pasted = /** @type {HTMLTextAreaElement} */ (byId("pasted"));
  byId("add-pasted").addEventListener("click", () => {
    if (pasted.value.trim() === "") return;
    void addText(pasted.value).then(() => (pasted.value = ""));
  });
  const nonce = /** @type {HTMLInputElement} */ (byId("nonce"));
  nonce.addEventListener("change", () => {
    state.nonce = nonce.value.trim();
    update();
  });
  for (const { id, items } of examples()) {
    byId(id).addEventListener("click", () => void items().then(startOver));
  }
  byId("clear").addEventListener("click", () => startOver([]));
}

/** @param {Item[]} items */
function startOver(items) {
  state.items = items;
  state.offered = [];
  state.acceptedTemplate = "";
  if (location.hash !== "") history.replaceState(null, "", location.pathname + location.search);
  update();
}

/** @param {FileList | null} files */
async function addFiles(files) {
  for (const file of files ?? []) {
    if (file.size > ITEM_MAX_BYTES) {
      add({ kind: "refused", name: file.name, bytes: new Uint8Array(), text: "", note: "The file is too large for this page." });
    } else {
      add(await readable(file.name, new Uint8Array(await file.arrayBuffer())));
    }
  }
  update();
}

/**
 * @param {string} name
 * @param {Uint8Array} bytes
 * @returns {Promise<Item>} whatever is in the file
 */
async function readable(name, bytes) {
  return itemOf(name, bytes).catch(() => ({ kind: "refused", name, bytes, text: "", note: "This page cannot read this file." }));
}

/** @param {string} text */
async function addText(text) {
  // A receipt has no byte after its last brace; what a form adds at the end is not part of it.
  const trimmed = /^\s*\{/.test(text) ? text.trim() : text;
  add(await readable("pasted", utf8(trimmed)));
  update();
}

/** @param {Item} item */
function add(item) {
  if (SINGLE.includes(item.kind)) state.items = state.items.filter(({ kind }) => kind !== item.kind);
  state.items.push(item);
  if (item.kind === "answer") {
    const receipt = receiptInAnswer(item);
    if (receipt !== null && given("receipt") === undefined) {
      add({ kind: "receipt", name: `${item.name}, its receipt`, bytes: receipt, text: "", note: "" });
    }
  }
  if (item.kind === "post") {
    const receipt = receiptInPost(item.text);
    if (receipt !== null && given("receipt") === undefined) {
      add({ kind: "receipt", name: `${item.name}, its receipt`, bytes: receipt, text: "", note: "" });
    }
  }
}

/**
 * @param {string} text
 * @returns {Uint8Array | null}
 */
function receiptInPost(text) {
  const encoded = parsed(text)?.receipt;
  return typeof encoded === "string" && encoded !== "" ? fromBase64(encoded) : null;
}

/**
 * @param {string} text
 * @returns {Record<string, any> | null}
 */
function parsed(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}

/** Takes a receipt from the page's own address: behind `#`, or from the gateway that serves it. */
async function readAddress() {
  const linked = await linkedIn(location.hash.slice(1));
  if (linked !== null) {
    state.items = [];
    add({ kind: "receipt", name: "from the link", bytes: linked.receipt, text: "", note: "" });
    offer(linked.keys.map((pem) => ({ pem, source: "The link proposes this key. Accept it only if you know it from somewhere else.", isAccepted: false })));
    update();
    return;
  }
  const id = location.protocol.startsWith("http") ? idInPath(location.pathname) : null;
  if (id !== null) await askGateway(id);
}

/** @param {string} id */
async function askGateway(id) {
  try {
    const response = await fetch(`/v1/receipts/${id}`, { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(response.status === 401 || response.status === 404 ? "it is another caller’s, or unknown" : `status ${response.status}`);
    add({ kind: "receipt", name: "from this gateway", bytes: new Uint8Array(await response.arrayBuffer()), text: "", note: "" });
    const server = await (await fetch("/v2")).json();
    const pem = server?.parameters?.signer_pem;
    if (typeof pem === "string") offer([{ pem, source: "The gateway that serves this page proposes its own key. Compare it with the one that its operator published.", isAccepted: false }]);
  } catch (error) {
    const why = error instanceof Error ? error.message : "no reason given";
    add({ kind: "refused", name: "from this gateway", bytes: new Uint8Array(), text: "", note: `The gateway did not hand out the receipt: ${why}. Paste it instead.` });
  }
  update();
}

/** @param {OfferedKey[]} keys */
function offer(keys) {
  state.offered = keys.filter(({ pem }) => pem.includes("-----BEGIN PUBLIC KEY-----"));
}

function update() {
  const hasItems = state.items.length > 0 || state.offered.length > 0;
  byId("given").hidden = !hasItems;
  byId("welcome").hidden = hasItems;
  const kinds = Object.keys(KIND_NAMES);
  const ordered = [...state.items].sort((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind));
  fill(byId("items"), ordered.map(itemLine));
  fill(byId("offered"), state.offered.map(offeredLine));
  void check();
}

/**
 * @param {Item} item
 * @returns {HTMLElement}
 */
function itemLine(item) {
  const size = item.bytes.length < 1000 ? `${item.bytes.length} bytes` : `${Math.round(item.bytes.length / 1000).toLocaleString("en")} kB`;
  const swap = item.kind === "question" || item.kind === "answer";
  const remove = () => {
    state.items = state.items.filter((other) => other !== item);
    update();
  };
  const exchange = () => {
    for (const other of state.items) {
      if (other.kind === "question") other.kind = "answer";
      else if (other.kind === "answer") other.kind = "question";
    }
    update();
  };
  return h(
    "li",
    { class: item.kind === "refused" ? "is-refused" : "" },
    h("span", { class: "kind" }, KIND_NAMES[item.kind]),
    h("span", { class: "name" }, item.name, item.note ? h("span", { class: "note" }, ` ${item.note}`) : null, item.bytes.length > 0 ? h("span", { class: "size" }, ` ${size}`) : null),
    swap ? h("button", { type: "button", class: "quiet", click: exchange, "aria-label": `${item.name}: use as the ${item.kind === "question" ? "answer" : "question"}` }, item.kind === "question" ? "use as the answer" : "use as the question") : null,
    h("button", { type: "button", class: "quiet", click: remove, "aria-label": `Remove ${KIND_NAMES[item.kind].toLowerCase()} ${item.name}` }, "Remove"),
  );
}

/**
 * @param {OfferedKey} key
 * @param {number} index
 * @returns {HTMLElement}
 */
function offeredLine(key, index) {
  const box = /** @type {HTMLInputElement} */ (h("input", { type: "checkbox", id: `offered-${index}`, checked: key.isAccepted }));
  box.addEventListener("change", () => {
    key.isAccepted = box.checked;
    void check();
  });
  return h("div", { class: "offered" }, box,
    h("label", { for: `offered-${index}` }, "I accept signatures by this key", h("code", { class: "digest" }, key.pem.replace(/-----[A-Z ]+-----/g, "").replace(/\s/g, ""))),
    h("p", {}, key.source));
}

/** Checks everything again; an older round that ends later shows nothing. */
async function check() {
  state.round += 1;
  const round = state.round;
  const receipt = given("receipt");
  const places = { result: byId("result"), record: byId("record"), post: byId("post"), link: byId("link") };
  byId("verdict-section").hidden = receipt === undefined;
  for (const place of [places.record, places.post, places.link]) place.hidden = true;
  if (receipt === undefined) {
    fill(places.result);
    say("");
    const extract = given("extract");
    if (extract !== undefined) await checkExtract(extract, round, "", "");
    return;
  }
  const bundle = parsed(fromUtf8(receipt.bytes) ?? "");
  const policy = currentPolicy();
  if ("message" in policy) {
    fill(places.result, h("p", { class: "verdict is-none" }, "Not checked yet"), h("p", { class: "sentence" }, policy.message), bundle === null ? null : claims(bundle));
    say(`Not checked yet. ${policy.message}`);
  } else {
    const report = await verdictOf(receipt, policy.toml, round);
    if (round !== state.round) return;
    showVerdict(places.result, report, { receipt: bundle, source: receipt.name });
    say(places.result.querySelector(".verdict")?.textContent + ". " + places.result.querySelector(".sentence")?.textContent);
    const post = given("post");
    if (post !== undefined) await checkPosted(post, policy.toml, round);
    if (report.verdict === "accepted" || report.verdict === "undecided") void showLink(places.link, receipt.bytes, acceptedKeys(), report);
  }
  const extract = given("extract");
  const statement = bundle?.statement;
  if (extract !== undefined) await checkExtract(extract, round, String(statement?.model?.digest ?? ""), receiptIdShown());
}

/** @returns {string} the id that the verifier computed, if it accepted */
function receiptIdShown() {
  return byId("result").dataset.receiptId ?? "";
}

/** @returns {{toml: string} | {message: string}} */
function currentPolicy() {
  const keyFiles = new Map(state.items.filter(({ kind }) => kind === "key").map(({ name, text }) => [name, text]));
  const policy = given("policy")?.text ?? "";
  const isNamed = (/** @type {string} */ name) => policy.includes(name);
  return policyOf({
    policy,
    keyFiles,
    // A key that the policy names is the policy's.
    keys: acceptedKeys(isNamed),
    vkeys: state.items.filter(({ kind }) => kind === "vkey").map(({ text }) => text),
    nonce: state.nonce,
    hasQuestion: given("question") !== undefined,
    hasAnswer: given("answer") !== undefined,
  });
}

/**
 * @param {(name: string) => boolean} isNamed
 * @returns {string[]}
 */
function acceptedKeys(isNamed = () => false) {
  const own = state.items.filter(({ kind, name }) => kind === "key" && !isNamed(name)).map(({ text }) => text);
  return [...new Set([...own, ...state.offered.filter(({ isAccepted }) => isAccepted).map(({ pem }) => pem)])];
}

/**
 * @param {string} policy
 * @returns {Record<string, unknown>}
 */
function optionsOf(policy) {
  const [question, answer] = [given("question"), given("answer")];
  const registrations = state.items.filter(({ kind }) => kind === "registration").map(({ bytes }) => toBase64(bytes));
  return {
    policy,
    now: Math.floor(Date.now() / 1000),
    ...(question === undefined ? {} : { input: toBase64(question.bytes) }),
    ...(answer === undefined ? {} : { output: toBase64(answer.bytes) }),
    ...(registrations.length === 0 ? {} : { registrations }),
  };
}

/**
 * @param {Item} receipt
 * @param {string} policy
 * @param {number} round
 * @returns {Promise<import("./module.js").Answer>}
 */
async function verdictOf(receipt, policy, round) {
  const workshop = /** @type {Workshop} */ (state.workshop);
  const timer = setTimeout(() => {
    if (round !== state.round) return;
    fill(byId("result"), h("p", { class: "verdict is-none" }, "Checking"), h("p", {}, "A model is run again, or a proof is checked. ", h("button", { type: "button", click: () => workshop.stop() }, "Stop")));
  }, 300);
  try {
    const program = given("program")?.bytes ?? new Uint8Array();
    return await workshop.run({ task: "verify", receipt: receipt.bytes, options: optionsOf(policy), program });
  } catch {
    return stopped("undecided", "VerifierMissing", "the verifier gave no answer", "Use a current browser.");
  } finally {
    clearTimeout(timer);
  }
}

/**
 * @param {Item} post
 * @param {string} policy
 * @param {number} round
 */
async function checkPosted(post, policy, round) {
  const value = parsed(post.text) ?? {};
  const text = given("text")?.bytes ?? fromBase64(String(value.text ?? "")) ?? new Uint8Array();
  const template = given("template")?.bytes ?? (state.acceptedTemplate === "" ? null : fromBase64(state.acceptedTemplate));
  const receipt = given("receipt");
  const program = given("program");
  const options = {
    ...optionsOf(policy),
    ...(template === null ? {} : { template: toBase64(template) }),
    ...(receipt === undefined ? {} : { receipt: toBase64(receipt.bytes) }),
    ...(program === undefined ? {} : { program: toBase64(program.bytes) }),
  };
  const answer = await /** @type {Workshop} */ (state.workshop).run({ task: "post", post: post.bytes, text, options });
  if (round !== state.round) return;
  const accept = () => {
    state.acceptedTemplate = String(value.template ?? "");
    void check();
  };
  const isOpen = answer.error?.check === "post.template" && template === null;
  const excerpt = { start: Number(value.excerpt?.start ?? 0), end: Number(value.excerpt?.end ?? 0) };
  showPost(byId("post"), answer, excerpt, isOpen ? accept : null);
  say(`${byId("status").textContent} The published text: ${byId("post").querySelector(".verdict-line")?.textContent}.`);
  byId("post").hidden = false;
}

/**
 * @param {Item} extract
 * @param {number} round
 * @param {string} model
 * @param {string} receiptId
 */
async function checkExtract(extract, round, model, receiptId) {
  const vkeys = [...state.items.filter(({ kind }) => kind === "vkey").map(({ text }) => text), ...vkeysIn(given("policy")?.text ?? "")];
  const answer = await /** @type {Workshop} */ (state.workshop).run({ task: "extract", bytes: extract.bytes, vkeys, model, receiptId, now: Math.floor(Date.now() / 1000) });
  if (round !== state.round) return;
  showRecord(byId("record"), answer, receiptId);
  byId("record").hidden = false;
}

/** @param {string} text what a screen reader is told */
function say(text) {
  byId("status").textContent = text;
}

begin();
