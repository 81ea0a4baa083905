"""Which of two pieces of collateral is newer, and that nobody goes back to the older one.

Spec: spec/v1/tee.md, sections 4 and 6. Whoever can choose the collateral would choose one from
before a weakness was known.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.x509 import ocsp

from veridical.tee.collateral import Collateral, Kind
from veridical.tee.quote import refused
from veridical.tee.x509 import UNREADABLE

if TYPE_CHECKING:
    from veridical.tee.collateral import CollateralItem

__all__ = ["Age", "age_of", "newest"]


class Age(NamedTuple):
    """How new an item is: by the number of the maker's evaluation, then by its date."""

    evaluation: int
    issued: int


def age_of(item: CollateralItem) -> Age:
    """Return how new an item is; what has no date is as old as anything.

    Raises:
        QuoteError: it is not readable.
    """
    try:
        if item.kind is Kind.INTEL:
            return _intel(item.content)
        if item.kind is Kind.AMD_CRL:
            crl = x509.load_der_x509_crl(item.content)
            return Age(0, int(crl.last_update_utc.timestamp()))
        if item.kind is Kind.NVIDIA_OCSP:
            response = ocsp.load_der_ocsp_response(item.content)
            return Age(0, int(response.this_update_utc.timestamp()))
    except (*UNREADABLE, KeyError, RecursionError) as error:
        where = f"{item.kind.value} {item.subject}"
        raise refused("format", f"collateral is not readable: {error}", where) from error
    return Age(0, 0)


def _intel(content: bytes) -> Age:
    document = json.loads(content)
    parts = [json.loads(document[name]) for name in ("tcb_info", "qe_identity")]
    issued = max(int(datetime.fromisoformat(part["issueDate"]).timestamp()) for part in parts)
    evaluation = min(part["tcbEvaluationDataNumber"] for part in parts)
    if not isinstance(evaluation, int):
        raise TypeError("the evaluation number is no number")
    return Age(evaluation, issued)


def newest(carried: Collateral, known: Collateral, *, time: int | None) -> Collateral:
    """Return what a quote is judged by: what travels with it, unless the verifier has newer.

    What was issued after the trusted time is not newer: nobody could have had it.

    Raises:
        QuoteError: an evaluation is carried that was replaced before the trusted time.
    """
    items = {(item.kind, item.subject): item for item in known}
    for item in carried:
        name = (item.kind, item.subject)
        ours = items.get(name)
        if ours is None or ours.content == item.content:
            items[name] = item
            continue
        theirs, kept = age_of(item), age_of(ours)
        was_known = time is None or kept.issued <= time
        if was_known and theirs.evaluation < kept.evaluation:
            raise refused(
                "rollback",
                f"collateral of evaluation {theirs.evaluation}, replaced by {kept.evaluation}",
                f"{item.kind.value} {item.subject}",
            )
        if not was_known or theirs >= kept:
            items[name] = item
    return Collateral.of(items.values())
