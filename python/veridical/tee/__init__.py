"""Hardware evidence: quotes of processors and GPUs, verified offline and bound to a statement.

Spec: spec/v1/tee.md. What reads quotes needs the extra `tee`; policies and claims do not.

| Module       | Purpose                                                          |
|--------------|------------------------------------------------------------------|
| `claims`     | what hardware says, in one form for all families                   |
| `quote`      | from bytes to claims: what every family offers                     |
| `binding`    | what a quote is about: statement, key set, GPU nonce               |
| `policy`     | what a consumer asks, and how claims are judged                    |
| `collateral` | what quotes are judged by: bundles                                 |
| `appraisal`  | one quote, from bytes to a verdict                                 |
| `evidence`   | quotes in a receipt: encoding, and the issuer's side of the tier   |
| `attested`   | what evidence shows of one statement                               |
| `runtime`    | event logs, replayed against registers                             |
| `launch`     | expected measurements of SEV-SNP guests                            |
| `store`      | collateral that a verifier keeps                                   |
| `files`      | quotes and collateral as people have them in files                 |
| `intel`, `snp`, `nitro`, `nvidia` | one family each                               |
| `attester`   | where genuine quotes come from                                     |
| `sealing`    | inputs that only attested code reads                               |
| `simulator`  | hardware that is none                                              |
"""

from __future__ import annotations

from veridical.tee.appraisal import NEVER_COVERED, Appraisal, appraise
from veridical.tee.binding import (
    Freshness,
    FreshnessKind,
    Key,
    KeySet,
    Purpose,
    gpu_nonce,
    report_value,
)
from veridical.tee.claims import Claims, Family, Finding, Outcome, Tcb
from veridical.tee.collateral import Collateral, CollateralItem, Kind
from veridical.tee.context import TeeContext
from veridical.tee.evidence import Attestation, Attester, QuoteBlob, Tee, TeeEvidence, attest_batch
from veridical.tee.policy import TeePolicy
from veridical.tee.quote import Genuine, Quote, Window, parse_quote

__all__ = [
    "NEVER_COVERED",
    "Appraisal",
    "Attestation",
    "Attester",
    "Claims",
    "Collateral",
    "CollateralItem",
    "Family",
    "Finding",
    "Freshness",
    "FreshnessKind",
    "Genuine",
    "Key",
    "KeySet",
    "Kind",
    "Outcome",
    "Purpose",
    "Quote",
    "QuoteBlob",
    "Tcb",
    "Tee",
    "TeeContext",
    "TeeEvidence",
    "TeePolicy",
    "Window",
    "appraise",
    "attest_batch",
    "gpu_nonce",
    "parse_quote",
    "report_value",
]
