// Audits logs as the page does. Reads [{entries: [base64], origin, now}] from stdin, writes what was found of each.
import { readFileSync } from "node:fs";

import { auditEntries } from "../src/audit.js";

const logs = JSON.parse(readFileSync(0, "utf8"));
const found = logs.map(({ entries, origin, now }) => {
  const bytes = entries.map((entry) => Uint8Array.from(Buffer.from(entry, "base64")));
  const { findings, streams } = auditEntries(bytes, { origin, now, model: "", receiptId: "" });
  return {
    findings: findings.map(({ kind, leaf }) => [kind, leaf]),
    streams: streams.map((one) => ({ ...one, reasons: Object.fromEntries(one.reasons) })),
  };
});
console.log(JSON.stringify(found));
