"""The transparency log: what was going to be run, and what became of it.

Spec: spec/v1/log.md.

| Module       | Purpose                                                              |
|--------------|----------------------------------------------------------------------|
| `tree`       | the Merkle tree: hashes, inclusion and consistency proofs             |
| `note`       | signed notes and their keys                                           |
| `checkpoint` | signed heads of a log, cosignatures, k of n                           |
| `entry`      | intents, results and voids                                            |
| `proof`      | an entry, where it stands, and the checkpoint that has it             |
| `tiles`      | tiles and entry bundles                                               |
| `frontier`   | the right edge of a tree: appending                                   |
| `storage`    | the journal, atomic replacement, syncing                              |
| `index`      | leaves by statement and by number, and the rules for a new entry      |
| `log`        | a log as a reader sees it                                             |
| `writer`     | the one writer: batches, recovery                                     |
| `cosigner`   | signs heads that extend the one before, and refuses forks             |
| `logged`     | what the log proofs of a receipt show                                 |
| `fsck`       | hashes every file again                                               |
| `audit`      | gaps, duplicates, open intents, voids                                 |
"""

from __future__ import annotations

from veridical.tlog.audit import Audit, Finding, audit
from veridical.tlog.checkpoint import Checkpoint, Cosignature, SignedCheckpoint
from veridical.tlog.cosigner import Answer, Cosigner, add_cosignatures, encode_request
from veridical.tlog.entry import (
    Entry,
    Intent,
    IntentDraft,
    Result,
    Void,
    entry_from_bytes,
    parameters_digest,
)
from veridical.tlog.fsck import Checked, fsck
from veridical.tlog.log import Log, require_extends
from veridical.tlog.logged import (
    Logged,
    LogTrust,
    attach,
    compare,
    log_proofs,
    sequence_of,
    verify_logged,
    verify_proof,
)
from veridical.tlog.note import Note, NoteKey
from veridical.tlog.proof import LOG_PROOF_MAX_BYTES, LogProof
from veridical.tlog.writer import Appended, Request, Writer

__all__ = [
    "LOG_PROOF_MAX_BYTES",
    "Answer",
    "Appended",
    "Audit",
    "Checked",
    "Checkpoint",
    "Cosignature",
    "Cosigner",
    "Entry",
    "Finding",
    "Intent",
    "IntentDraft",
    "Log",
    "LogProof",
    "LogTrust",
    "Logged",
    "Note",
    "NoteKey",
    "Request",
    "Result",
    "SignedCheckpoint",
    "Void",
    "Writer",
    "add_cosignatures",
    "attach",
    "audit",
    "compare",
    "encode_request",
    "entry_from_bytes",
    "fsck",
    "log_proofs",
    "parameters_digest",
    "require_extends",
    "sequence_of",
    "verify_logged",
    "verify_proof",
]
