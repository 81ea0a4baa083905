"""Evidence that other confidential-inference services hand out, brought to our verdict.

Spec: spec/v1/tee.md, section 11. What such evidence does not bind is listed by name: it is never
more than what it shows.

| Module       | Purpose                                                     |
|--------------|-------------------------------------------------------------|
| `near`       | NEAR AI and Phala: report and signature                     |
| `aci`        | ACI: report and receipt                                     |
| `signatures` | signatures of Ethereum accounts, and Ed25519                |
| `foreign`    | JSON of others, and its form by RFC 8785                    |
| `verdict`    | the verdict, and the names of bindings that are missing     |
"""

from __future__ import annotations

from veridical.tee.imports import aci, near
from veridical.tee.imports.foreign import read_document
from veridical.tee.imports.verdict import MISSING, Imported, Said

__all__ = ["MISSING", "Answer", "Imported", "Said", "read_service"]

Answer = near.NearAnswer | aci.AciAnswer


def read_service(report: bytes, signature: bytes) -> Answer:
    """Read a report and a signature or receipt of a known service; then `judge` it.

    Raises:
        Error: something is malformed, or nobody's; `check` says what.
    """
    attested = read_document(report, where="report")
    if attested.has("api_version"):
        return aci.AciAnswer(attested, read_document(signature, where="receipt"))
    return near.NearAnswer(attested, read_document(signature, where="signature"))
