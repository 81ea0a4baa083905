"""Receipts: their bytes, and how they are issued.

Spec: spec/v1/receipt.md.

| Module      | Purpose                                                       |
|-------------|---------------------------------------------------------------|
| `canonical` | the JSON in which every value has one encoding                |
| `members`   | objects with exactly the listed members                       |
| `statement` | what was asked, which program answered, what it answered      |
| `evidence`  | blobs that support a statement; the issuer's side of a tier   |
| `envelope`  | who vouches for it, in which tier, with which evidence        |
| `bundle`    | the file: all of these and reveals                            |
| `issuing`   | from a run to a receipt, and to a stronger one                |
| `template`  | the same, for many receipts of one program                    |
| `program`   | what receipts need of a program and a run                     |
"""

from __future__ import annotations

from veridical.receipt.bundle import RECEIPT_MAX_BYTES, Receipt, Reveal
from veridical.receipt.envelope import Envelope, Predicate
from veridical.receipt.evidence import Evidence, EvidenceBlob, EvidenceDescriptor, Reexecution
from veridical.receipt.issuing import issue, upgrade
from veridical.receipt.program import Encoded, Program, Run, Tensors
from veridical.receipt.statement import (
    InputCommitments,
    ModelIdentity,
    OutputCommitments,
    Parameters,
    Seed,
    Sequence,
    Statement,
)
from veridical.receipt.template import Issued, ReceiptTemplate

__all__ = [
    "RECEIPT_MAX_BYTES",
    "Encoded",
    "Envelope",
    "Evidence",
    "EvidenceBlob",
    "EvidenceDescriptor",
    "InputCommitments",
    "Issued",
    "ModelIdentity",
    "OutputCommitments",
    "Parameters",
    "Predicate",
    "Program",
    "Receipt",
    "ReceiptTemplate",
    "Reexecution",
    "Reveal",
    "Run",
    "Seed",
    "Sequence",
    "Statement",
    "Tensors",
    "issue",
    "upgrade",
]
