// The three things that take time, in a worker where the browser allows one, and here where it does not.

import { toBase64 } from "./bytes.js";
import { readExtract } from "./extract.js";
import { checkPost, stopped, verifyReceipt } from "./module.js";

/**
 * @typedef {import("./module.js").Answer} Answer
 * @typedef {import("./extract.js").ExtractAnswer} ExtractAnswer
 * @typedef {{task: "verify", receipt: Uint8Array, options: object, program: Uint8Array}
 *   | {task: "post", post: Uint8Array, text: Uint8Array, options: object}
 *   | {task: "extract", bytes: Uint8Array, vkeys: string[], model: string, receiptId: string, now: number}} Task
 */

const MISSING = stopped(
  "undecided",
  "VerifierMissing",
  "the verifier of this page could not be loaded",
  "Use a current browser, or check the receipt with `veridical verify`.",
);

/**
 * @param {Promise<WebAssembly.Module | null>} module
 * @param {Task} task
 * @returns {Promise<Answer | ExtractAnswer>}
 */
export async function perform(module, task) {
  if (task.task === "extract") return readExtract(task.bytes, task);
  const loaded = await module;
  if (loaded === null) return MISSING;
  if (task.task === "verify") return verifyReceipt(loaded, task.receipt, task.options, task.program);
  return checkPost(loaded, task.post, task.text, task.options);
}

/**
 * @param {Uint8Array} code
 * @returns {Promise<WebAssembly.Module | null>}
 */
export async function compiled(code) {
  if (typeof WebAssembly === "undefined" || code.length === 0) return null;
  return WebAssembly.compile(Uint8Array.from(code)).catch(() => null);
}

/** What the script does when it runs as a worker. */
export function serveTasks() {
  /** @type {Promise<WebAssembly.Module | null>} */
  let module = Promise.resolve(null);
  self.onmessage = async ({ data }) => {
    if (data.code !== undefined) {
      module = compiled(data.code);
      return;
    }
    try {
      self.postMessage({ id: data.id, answer: await perform(module, data.task) });
    } catch (error) {
      self.postMessage({ id: data.id, answer: trapped(data.task, error) });
    }
  };
}

/**
 * @param {Task} task
 * @param {unknown} error
 * @returns {Answer | ExtractAnswer}
 */
function trapped(task, error) {
  const why = error instanceof Error ? error.message : "no reason given";
  if (task.task === "extract") return { state: "false", message: `The log extract cannot be read: ${why}.` };
  return stopped("rejected", "VerifierTrap", `the verifier stopped: ${why}`, "Do not rely on this answer.");
}

/** Runs tasks one after the other, and can give one up. */
export class Workshop {
  /**
   * @param {Uint8Array} code of the module
   * @param {string} script text of this page's own script
   */
  constructor(code, script) {
    this.code = code;
    this.script = script;
    /** @type {Worker | null} */
    this.worker = null;
    /** @type {string | null} */
    this.address = null;
    /** @type {Map<number, {task: Task, resolve: (answer: any) => void}>} */
    this.waiting = new Map();
    this.next = 0;
    /** @type {Promise<WebAssembly.Module | null> | null} */
    this.module = null;
    this.start();
  }

  /** Starts the worker; without one, tasks run on the page itself. */
  start() {
    try {
      this.address ??= trustedAddress(URL.createObjectURL(new Blob([this.script], { type: "text/javascript" })));
      this.worker = new Worker(this.address);
    } catch {
      this.worker = null;
      return;
    }
    this.worker.onmessage = ({ data }) => {
      this.waiting.get(data.id)?.resolve(data.answer);
      this.waiting.delete(data.id);
    };
    // A worker that cannot start has answered nothing: the page does the work instead.
    this.worker.onerror = () => {
      this.worker?.terminate();
      this.worker = null;
      for (const { task, resolve } of this.waiting.values()) void this.run(task).then(resolve);
      this.waiting.clear();
    };
    this.worker.postMessage({ code: this.code });
  }

  /**
   * @param {Task} task
   * @returns {Promise<any>}
   */
  async run(task) {
    if (this.worker === null) {
      this.module ??= compiled(this.code);
      return perform(this.module, task).catch((error) => trapped(task, error));
    }
    const id = this.next;
    this.next += 1;
    return new Promise((resolve) => {
      this.waiting.set(id, { task, resolve });
      this.worker?.postMessage({ id, task });
    });
  }

  /** Gives up what is running. */
  stop() {
    const waiting = [...this.waiting.values()];
    this.waiting.clear();
    this.worker?.terminate();
    for (const { resolve } of waiting) {
      resolve(stopped("undecided", "Timeout", "the verifier was stopped", "Add what it needs and check again."));
    }
    this.start();
  }
}

/**
 * The one address that this page ever runs code from: a copy of its own script.
 * @param {string} address
 * @returns {string}
 */
function trustedAddress(address) {
  const types = /** @type {any} */ (globalThis).trustedTypes;
  if (types === undefined) return address;
  return types
    .createPolicy("veridical", {
      createScriptURL: (/** @type {string} */ text) => {
        if (!text.startsWith("blob:")) throw new TypeError("no address of this page");
        return text;
      },
    })
    .createScriptURL(address);
}

/**
 * @param {Uint8Array | null} bytes
 * @returns {string | null}
 */
export function optional(bytes) {
  return bytes === null ? null : toBase64(bytes);
}
