// From what a reader gave to the policy of one verification. There is no default: without a key or a
// policy nothing is asked of the verifier.  Spec: spec/v1/policy.md.

/**
 * @typedef {{policy: string, keyFiles: Map<string, string>, keys: string[], vkeys: string[], nonce: string,
 *   hasQuestion: boolean, hasAnswer: boolean}} Wishes
 */

/**
 * @param {Wishes} wishes
 * @returns {{toml: string} | {message: string}}
 */
export function policyOf(wishes) {
  if (wishes.policy === "" && wishes.keys.length === 0) {
    return { message: "Say whose signature you accept: add the signer’s public key, or a policy." };
  }
  const rules = [];
  if (wishes.keys.length > 0) rules.push(`type = "trusted_signers"\nkeys = [${wishes.keys.map(quoted).join(", ")}]`);
  const [logs, cosigners] = ["01", "04"].map((type) => wishes.vkeys.filter((key) => roleOf(key) === type));
  // A policy of the reader's own says itself which logs count.
  if (wishes.policy === "" && logs !== undefined && logs.length > 0) {
    const named = cosigners === undefined || cosigners.length === 0 ? "" : `\ncosigners = [${cosigners.map(quoted).join(", ")}]`;
    rules.push(`type = "require_logged"\nlogs = [${logs.map(quoted).join(", ")}]${named}`);
  }
  if (wishes.hasQuestion) rules.push('type = "expect_input"');
  if (wishes.hasAnswer) rules.push('type = "expect_output"');
  if (wishes.nonce !== "") rules.push(`type = "nonce"\nvalue = ${quoted(wishes.nonce)}`);
  const head = wishes.policy === "" ? 'version = "veridical-policy/v1"\n' : withKeys(wishes.policy, wishes.keyFiles);
  if (typeof head !== "string") return head;
  return { toml: head + rules.map((rule) => `\n[[rule]]\n${rule}\n`).join("") };
}

/**
 * @param {string} text
 * @returns {string} a basic string of TOML; JSON escapes what TOML does, and DEL besides
 */
function quoted(text) {
  return JSON.stringify(text).replaceAll("\x7f", "\\u007f");
}

/**
 * @param {string} vkey
 * @returns {string} its type, in hexadecimal
 */
function roleOf(vkey) {
  return (atob(vkey.split("+").slice(2).join("+")).charCodeAt(0) || 0).toString(16).padStart(2, "0");
}

/**
 * Puts the keys themselves in place of the names of key files.
 * @param {string} policy
 * @param {Map<string, string>} files PEM by name of the file, without folders
 * @returns {string | {message: string}}
 */
function withKeys(policy, files) {
  const missing = new Set();
  const text = policy.replace(/^(\s*)key_files(\s*=\s*)\[([^\]]*)\]/gm, (_, indent, equals, list) => {
    const names = [...list.matchAll(/"([^"]*)"|'([^']*)'/g)].map((match) => String(match[1] ?? match[2]));
    const keys = names.map((name) => {
      const key = files.get(/** @type {string} */ (name.split("/").at(-1)));
      if (key === undefined) missing.add(name);
      return quoted(key ?? "");
    });
    return `${indent}keys${equals}[${keys.join(", ")}]`;
  });
  if (missing.size > 0) return { message: `The policy names key files: add ${[...missing].join(", ")} as well.` };
  return text.endsWith("\n") ? text : `${text}\n`;
}

/**
 * @param {string} policy
 * @returns {string[]} the keys of logs and cosigners that a policy names
 */
export function vkeysIn(policy) {
  return [...policy.matchAll(/["']([^\s"'+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+)["']/g)].map((match) => String(match[1]));
}
