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

from veridical.tee.collateral import Kind
from veridical.tee.quote import refused
from veridical.tee.x509 import UNREADABLE

if TYPE_CHECKING:
    from veridical.tee.collateral import Collateral, CollateralItem

__all__ = ["Age", "age_of", "require_not_older"]


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


def require_not_older(carried: Collateral, known: Collateral, *, time: int | None) -> None:
    """Refuse collateral that was replaced, to this verifier's knowledge, before the trusted time.

    Raises:
        QuoteError: an older item is carried.
    """
    for item in carried:
        content = known.find(item.kind, item.subject)
        if content is None or content == item.content:
            continue
        ours = age_of(type(item)(item.kind, item.subject, content))
        was_known = time is None or ours.issued <= time
        theirs = age_of(item)
        if was_known and theirs.evaluation < ours.evaluation:
            raise refused(
                "rollback",
                f"collateral of evaluation {theirs.evaluation}, replaced by {ours.evaluation}",
                f"{item.kind.value} {item.subject}",
            )
