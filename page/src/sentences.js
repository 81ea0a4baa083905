// From a verdict to sentences that a person reads. A sentence never says more than the verdict does.

/**
 * @typedef {import("./module.js").Answer} Answer
 * @typedef {import("./module.js").Failure} Failure
 * @typedef {"shown" | "partly" | "open" | "false"} Mark
 * @typedef {{title: string, mark: Mark, standing: string, sentence: string}} Property
 */

export const MARKS = /** @type {Record<Mark, string>} */ ({
  shown: "Shown", partly: "Shown in part", open: "Not shown", false: "False",
});

/** What a failed check means, by its name; the first word of names like `log.origin` counts. */
const REJECTED = /** @type {Record<string, string>} */ ({
  size: "The file is larger than a receipt may be. It was not read.",
  encoding: "The file is not in the one form that a receipt has: it was changed, or made so that two readers see two things.",
  format: "The file has not the parts of a receipt of this version: something is missing, added or out of range.",
  reveals: "A value that the receipt shows is not the one that it was signed for.",
  signer: "The receipt is not signed by a key that you accept.",
  signature: "The signature does not fit. The receipt was changed after it was signed, or somebody else made it.",
  payload: "What was signed is no statement about an answer of this version.",
  binding: "The signature belongs to another statement. The statement was changed, or the signature was taken from another receipt.",
  critical: "The receipt asks for something that this version does not know.",
  evidence: "The evidence that was signed is missing from the receipt, or was exchanged.",
  model: "The program that you gave is not the one that the receipt names.",
  input: "The question that you gave is not the one that was answered.",
  output: "The answer that you gave is not the one that was produced.",
  tier: "The evidence does not support what the receipt says.",
  policy: "The receipt is sound, but it is not what you asked for.",
  log: "The log proofs do not show this receipt in a log that you named.",
  seed: "The draw is not the one that follows from the question and the provider’s key.",
  tee: "The evidence of hardware is broken, or is not about this receipt.",
  post: "The text is not what the receipt says.",
  receipt: "The receipt behind the text is not accepted.",
});

/** More exact where the error's own name says more. */
const BY_ERROR = /** @type {Record<string, string>} */ ({
  ReexecutionError: "Run again on the same question, the program gives something else than the receipt says.",
  ProofError: "The proof does not show what the receipt says.",
  DuplicateKeyError: "One name stands twice in the file, so that two readers could see two different receipts.",
  VerifierTrap: "The verifier stopped before it was done. A receipt that stops it is not accepted.",
  VerifierAnswer: "The verifier gave an answer that this page does not understand. Nothing is accepted.",
});

/** Check `policy`: the rule that was not met begins the message. */
const BY_RULE = /** @type {Record<string, string>} */ ({
  nonce: "The receipt is for another request than yours: an honest receipt may have been shown a second time.",
  max_age: "The receipt is older than you allow, or from the future.",
  trusted_models: "Another model answered than the one that you trust.",
  require_tier: "The evidence is of another kind than you ask for.",
  min_soundness_bits: "The evidence is weaker than you ask for.",
  max_saturation: "More of the question lay outside the model’s range than you allow.",
  require_logged: "The receipt is not shown to be in a log that you named.",
  require_seed: "The draw was not made the way that you ask for.",
  require_tee: "The evidence of hardware is not what you ask for.",
  expect_decode: "The answer was drawn with other settings than you ask for.",
  trusted_signers: "The receipt is not signed by a key that you accept.",
});

const UNDECIDED = /** @type {Record<string, string>} */ ({
  ProgramMissingError: "The program file is missing. Add it, and this page runs it again or checks the proof against it.",
  RevealMissingError: "The question is missing: the receipt does not show it. Add the question, or ask the issuer to reveal it.",
  CollateralError: "This page does not check evidence of hardware; the command does. Here nothing is accepted.",
  VerifierMissing: "The verifier could not be loaded, so nothing was checked.",
  Timeout: "The verifier was stopped because it took too long. Nothing is accepted.",
});

/**
 * @param {Failure | null | undefined} error
 * @param {string | null} verdict
 * @returns {string}
 */
export function failureSentence(error, verdict) {
  const name = error?.name ?? "";
  const check = (error?.check ?? "").split(".")[0] ?? "";
  if (verdict === "undecided") {
    return UNDECIDED[name] ?? "A check that your rules ask for cannot be made here. Until it is made, nothing is accepted.";
  }
  if (verdict === null) return "Nothing was checked: something that you gave cannot be used.";
  const rule = check === "policy" ? BY_RULE[/^[a-z_]+/.exec(error?.message ?? "")?.[0] ?? ""] : undefined;
  return rule ?? BY_ERROR[name] ?? REJECTED[check] ?? "The receipt is not accepted.";
}

/**
 * @param {Failure | null | undefined} error
 * @param {string | null} verdict
 * @returns {string} what to do, where the sentence does not say it already
 */
export function adviceText(error, verdict) {
  // Advice of the verifier speaks of the command line where something is missing.
  return verdict === "undecided" && error?.name !== "CollateralError" && UNDECIDED[error?.name ?? ""] !== undefined ? "" : (error?.advice ?? "");
}

/**
 * @param {string | null} verdict
 * @returns {string}
 */
export function headline(verdict) {
  if (verdict === "accepted") return "Accepted";
  if (verdict === "rejected") return "Rejected";
  return verdict === "undecided" ? "Not decided" : "Not checked";
}

/** A standing may have two parts, such as `matched and re-executed`: a table has a sentence for each set of them. */
const QUESTION = /** @type {Record<string, [Mark, string]>} */ ({
  matched: ["shown", "The question that you gave is the one that was answered, byte for byte."],
  revealed: ["partly", "The receipt shows a question, and it is the one that was answered. Whether it is the one that was asked, you see by reading it."],
  "committed only": ["open", "The receipt is bound to one question, but it was compared with nothing. Add the question to compare it."],
});

const RAN = "The program that you gave is the one that the receipt names. It was run again, here, and every integer of its output is the one in the receipt.";
const PROVEN = "A succinct proof shows that the program with this digest computed the output, with the weights that it holds.";
const MODEL = /** @type {Record<string, [Mark, string]>} */ ({
  "re-executed": ["shown", RAN],
  "matched and re-executed": ["shown", RAN],
  proven: ["shown", PROVEN],
  "matched and proven": ["shown", PROVEN],
  matched: ["partly", "A proof shows that committed weights computed the output. That they are the weights of this model is the signer’s word; the program file would show it."],
  "committed only": ["partly", "A proof shows that committed weights computed the output. That they are the weights of this model is the signer’s word; the program file would show it."],
});

const ANSWER = /** @type {Record<string, [Mark, string]>} */ ({
  matched: ["partly", "The answer that you gave is the one that the receipt is bound to."],
  "re-executed": ["partly", "The output was computed again, here, and is the one that the receipt is bound to. Add the answer that you were given to compare it."],
  "matched and re-executed": ["shown", "The answer that you gave is the output of the program, computed again, here."],
  proven: ["partly", "A proof shows that the output is the one that the receipt is bound to. Add the answer that you were given to compare it."],
  "matched and proven": ["shown", "The answer that you gave is the output that the proof is about."],
  "committed only": ["open", "The receipt is bound to one answer, but it was compared with nothing."],
});

const TITLES = { input: "The question was not changed", model: "The promised model ran", output: "The answer is as it was produced" };

/**
 * @param {Answer} report an answer in form `explain`
 * @returns {Property[]}
 */
export function properties(report) {
  const verified = /** @type {{properties?: Record<string, string>} | null | undefined} */ (report.verified);
  if (report.verdict !== "accepted" || verified?.properties === undefined) return unshown(report);
  const given = verified.properties;
  return [
    property(TITLES.input, QUESTION, given.input),
    property(TITLES.model, MODEL, given.model),
    property(TITLES.output, ANSWER, given.output),
  ];
}

/**
 * @param {string} title
 * @param {Record<string, [Mark, string]>} table
 * @param {string | undefined} standing
 * @returns {Property}
 */
function property(title, table, standing = "") {
  const [mark, sentence] = table[standing] ?? ["open", `How this was established is said in a word that this page does not know: ${standing}.`];
  return { title, mark, standing, sentence };
}

/**
 * @param {Answer} report
 * @returns {Property[]}
 */
function unshown(report) {
  const { name = "", check = "", where = "" } = report.error ?? {};
  const isRejected = report.verdict === "rejected";
  // Evidence that fails shows what is not so; which model ran instead it does not show.
  const isInput = check === "input" || (check === "tier" && (where ?? "").startsWith("input"));
  const falseAt = { input: isInput, model: check === "model", output: check === "output" || (check === "tier" && !isInput) };
  return /** @type {("input" | "model" | "output")[]} */ (["input", "model", "output"]).map((key) => {
    const title = TITLES[key];
    const sentence = failureSentence(report.error, report.verdict);
    if (falseAt[key] && isRejected) return { title, mark: /** @type {Mark} */ ("false"), standing: name, sentence };
    const rest = isRejected ? "Not shown, because the receipt is rejected." : "Not shown yet.";
    return { title, mark: /** @type {Mark} */ ("open"), standing: "", sentence: rest };
  });
}

/**
 * @param {string | null | undefined} tier
 * @param {number | null | undefined} bits
 * @returns {{name: string, assumption: string}}
 */
export function tierText(tier, bits) {
  switch (tier) {
    case "reexecution":
      return { name: "Re-execution", assumption: "Nobody is believed for the computation: this page made it again." };
    case "zk":
      return {
        name: "Succinct proof",
        assumption: `The proof system is sound: a false output passes with a chance of at most 1 in 2^${bits ?? "?"}, in the random oracle model.`,
      };
    case "tee":
      return { name: "Hardware evidence", assumption: "The maker of the processor is believed, and nobody has taken its secrets out." };
    case null:
    case undefined:
      return { name: "None", assumption: "Nothing stands behind the statement." };
    default:
      return { name: tier, assumption: "This page does not know this tier." };
  }
}

/**
 * @param {Record<string, any> | null} verified
 * @returns {string[]} what an acceptance does not show
 */
export function notShown(verified) {
  const lines = ["That the model is good, or that what it says is true: a receipt shows which program answered, not whether it is right."];
  if (verified?.logged) {
    const { cosigners = {} } = verified.logged;
    lines.push("What the provider ran outside the log.");
    if (Object.keys(cosigners).length === 0) lines.push("That others see the same log: no independent cosigner has signed it.");
  } else {
    lines.push("How often the question was asked before, and which answers were thrown away: no log was checked.");
  }
  lines.push("When it was answered: the time is the signer’s word.");
  if (verified?.tier === "zk") lines.push("Anything hidden: a proof may reveal parts of the weights and of intermediate values.");
  lines.push("Who wrote or published a text, and why.");
  return lines;
}
