"""Checks 4 and 11 to 13: the statement against its reveals and against the caller's own values.

Spec: spec/v1/receipt.md, section 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from veridical.commitment import tensors_from_bytes, tensors_to_bytes
from veridical.errors import MalformedError, RevealMissingError, StatementMismatchError
from veridical.receipt.bundle import Receipt, Reveal
from veridical.verifier.checks import Check, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veridical.receipt.program import Tensors
    from veridical.verifier.given import Given

__all__ = ["compare"]


def compare(receipt: Receipt, given: Given) -> Iterator[Check]:
    """Yield checks 4, 11, 12 and 13."""
    yield _reveals(receipt)
    yield _model(receipt, given)
    yield _value(12, receipt, given.input, field="input.received")
    yield _value(13, receipt, given.output, field="output.decoded")


def _reveals(receipt: Receipt) -> Check:
    commitments = receipt.statement.commitments()
    for field, reveal in receipt.reveals.items():
        commitment = commitments[field]
        problem = None
        if commitment.is_salted != bool(reveal.salt):
            problem = "a salt belongs to a salted commitment, and to no other"
        elif reveal.content:
            try:
                tensors_from_bytes(reveal.content, where=f"reveals.{field}")
            except MalformedError as error:
                problem = error.message
            else:
                if not commitment.opens_to(field, reveal.content, salt=reveal.salt or None):
                    problem = "the reveal does not open its commitment"
        if problem is not None:
            error_ = StatementMismatchError(problem, where=f"reveals.{field}", check="reveals")
            return Check(number=4, status=Status.FAILED, detail=str(error_), error=error_)
    num_opened = sum(1 for reveal in receipt.reveals.values() if reveal.content)
    num_salts = len(receipt.reveals) - num_opened
    detail = f"{num_opened} values opened, {num_salts} salts carried" if receipt.reveals else "none"
    return Check(number=4, status=Status.PASSED, detail=detail)


def _model(receipt: Receipt, given: Given) -> Check:
    stated = receipt.statement.model.digest
    if given.program is None:
        return Check(number=11, status=Status.SKIPPED, detail=f"no program given; stated: {stated}")
    actual = "sha256:" + given.program.digest.hex()
    if actual == stated:
        return Check(number=11, status=Status.PASSED, detail=stated)
    error = StatementMismatchError(
        f"the statement is about {stated}, the program is {actual}",
        where="statement.model.digest",
        check="model",
    )
    return Check(number=11, status=Status.FAILED, detail=str(error), error=error)


def _value(number: int, receipt: Receipt, tensors: Tensors | None, *, field: str) -> Check:
    if tensors is None:
        return Check(number=number, status=Status.SKIPPED, detail="nothing given to compare with")
    commitment = receipt.statement.commitments()[field]
    salt = receipt.reveals.get(field, Reveal()).salt
    if commitment.is_salted and not salt:
        missing = RevealMissingError(
            "the commitment is salted and its salt was not revealed",
            where=field,
            check="input" if number == 12 else "output",  # noqa: PLR2004 - numbers of the spec
        )
        return Check(number=number, status=Status.UNDECIDED, detail=str(missing), error=missing)
    if commitment.opens_to(field, tensors_to_bytes(tensors), salt=salt or None):
        return Check(number=number, status=Status.PASSED, detail="equal to what was given")
    error = StatementMismatchError(
        "the statement is about another value than the one given",
        where=f"statement.{field}",
        check="input" if number == 12 else "output",  # noqa: PLR2004 - numbers of the spec
        advice=(
            "Names, dtypes, shapes and every bit must be those that were sent and received; if "
            "they are, the receipt is for another question or answer."
        ),
    )
    return Check(number=number, status=Status.FAILED, detail=str(error), error=error)
