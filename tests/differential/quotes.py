"""Verdicts on quotes by implementations that share no code with ours."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import logging
import random
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from epsilon_verifier.verifier import verify_attestation
from omne_attest import snp

from tests.unit.tee.mutants import GENUINE, flip
from tests.unit.tee.vectors import binary_of, read, vectors
from veridical.errors import Error
from veridical.tee import Family, Kind, Outcome, appraise, parse_quote
from veridical.tee.dstack import unwrap
from veridical.tee.nitro import NitroDocument
from veridical.tee.x509 import pem_of

if TYPE_CHECKING:
    from collections.abc import Callable

SEED = 20261122


@dataclass(slots=True)
class Agreement:
    """How two readers judged mutants of one quote."""

    tried: int = 0
    both_accept: int = 0
    both_refuse: int = 0
    #: Accepted here alone: there should be none.
    ours_alone: list[int] = field(default_factory=list)
    #: Accepted by the other alone, with our reason.
    theirs_alone: Counter[str] = field(default_factory=Counter)


def compared(
    name: str, theirs: Callable[[bytes], bool], count: int, content: bytes | None = None
) -> Agreement:
    """Judge a quote's mutants, chosen at random, by both."""
    vector = vectors()[name]
    content = binary_of(name) if content is None else content
    result = Agreement()
    for bit in random.Random(SEED).sample(range(8 * len(content)), count):  # noqa: S311 - a sample
        mutant = flip(content, bit)
        is_ours, reason = _ours(vector.family, mutant, name)
        is_theirs = theirs(mutant)
        result.tried += 1
        result.both_accept += is_ours and is_theirs
        result.both_refuse += not is_ours and not is_theirs
        if is_ours and not is_theirs:
            result.ours_alone.append(bit)
        if is_theirs and not is_ours:
            result.theirs_alone[reason] += 1
    return result


def _ours(family: Family, content: bytes, name: str) -> tuple[bool, str]:
    vector = vectors()[name]
    try:
        quote = parse_quote(family, content)
    except Error as error:
        return False, error.check or ""
    appraisal = appraise(quote, policy=GENUINE, collateral=vector.collateral, time=vector.time)
    return appraisal.outcome is Outcome.ACCEPTED, appraisal.deciding.check


def snp_reader(name: str) -> Callable[[bytes], bool]:
    """Return the other implementation's verdict on reports of this chip."""
    (vcek,) = [i.content for i in vectors()[name].collateral if i.kind is Kind.AMD_VCEK]
    ask, ark = (
        x509.load_pem_x509_certificate(read(f"sev_snp/roots/milan_{part}.pem")).public_bytes(
            Encoding.DER
        )
        for part in ("ask", "ark")
    )

    def accepts(report: bytes) -> bool:
        pinned = hashlib.sha256(ark).digest()
        with warnings.catch_warnings():
            # It warns of AMD's serial number 0, and here a warning is an error.
            warnings.simplefilter("ignore")
            try:
                snp.verify(report, vcek, ask, ark, pinned, snp.Policy())
            except snp.Fail:
                return False
        return True

    return accepts


def nitro_document() -> bytes:
    return unwrap(vectors()["nitro"].content)


def nitro_reader(folder: Path) -> Callable[[bytes], bool]:
    """Return the other implementation's verdict on documents under AWS's root."""
    logging.getLogger("epsilon_verifier").setLevel(logging.CRITICAL)
    root = folder / "root.pem"
    root.write_text(pem_of(NitroDocument.from_bytes(nitro_document()).chain[-1]))

    def accepts(document: bytes) -> bool:
        text = base64.b64encode(document).decode()
        with warnings.catch_warnings(), contextlib.suppress(Exception):
            warnings.simplefilter("ignore")
            # Its clock is the present, and the document is from last year.
            found = verify_attestation(text, aws_root_cert_path=str(root), allow_expired=True)
            return bool(found.aws_signature_valid and found.certificate_chain_valid)
        return False

    return accepts
