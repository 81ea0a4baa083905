"""Every byte of a bundle, changed one at a time: no mutant verifies with a different meaning.

A mutant may verify with the *same* meaning only where the specification lets bytes be free: in
parts that no counted envelope refers to. Where everything is bound, that count is zero too.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import FULL_CAMPAIGN
from tests.toy import GIVEN, NOW, OTHER_SIGNER, P256_SIGNER, STRICT, toy_receipt, toy_run
from veridical.errors import UndecidedError, VerificationError
from veridical.receipt import Receipt, Reexecution, Reveal, upgrade
from veridical.verifier import Verified, verify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.acceptance import RecordCriterion

pytestmark = pytest.mark.timeout(900 if FULL_CAMPAIGN else 60)


@dataclass
class Counts:
    rejected: int = 0
    undecided: int = 0
    same_meaning: int = 0
    different: list[int] = field(default_factory=list)


def meaning(verified: Verified) -> tuple[Any, ...]:
    """Return everything that a caller reads from an acceptance."""
    return (
        verified.statement,
        verified.receipt_id,
        verified.tier,
        verified.signer,
        verified.issued_at,
        tuple(verified.properties.items()),
    )


def mutants(honest: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each byte flipped and deleted; in full also replaced, doubled and swapped."""
    flips = [1 << bit for bit in range(8)] if FULL_CAMPAIGN else [1]
    replacements = b'"0}' if FULL_CAMPAIGN else b""
    for offset, byte in enumerate(honest):
        head, tail = honest[:offset], honest[offset + 1 :]
        changed = {bytes([byte ^ flip]) for flip in flips}
        changed |= {bytes([other]) for other in replacements}
        changed |= {b"", bytes([byte, byte])} if FULL_CAMPAIGN else {b""}
        changed.discard(bytes([byte]))
        for middle in sorted(changed):
            yield offset, head + middle + tail
        if FULL_CAMPAIGN and tail and tail[0] != byte:
            yield offset, head + tail[:1] + bytes([byte]) + tail[1:]


def campaign(receipt: Receipt, **given: Any) -> Counts:
    honest = receipt.to_bytes()
    # Breaking one of two trusted envelopes leaves the other, which says what it always said.
    alone = [replace(receipt, envelopes=(envelope,)) for envelope in receipt.envelopes]
    expected = [meaning(verify(one, STRICT, **given)) for one in alone if is_trusted(one)]
    assert meaning(verify(honest, STRICT, **given)) in expected
    counts = Counts()
    for offset, mutant in mutants(honest):
        assert mutant != honest
        try:
            verified = verify(mutant, STRICT, **given)
        except VerificationError:
            counts.rejected += 1
        except UndecidedError:
            counts.undecided += 1
        else:
            if meaning(verified) in expected:
                counts.same_meaning += 1
            else:
                counts.different.append(offset)
    return counts


def is_trusted(receipt: Receipt) -> bool:
    return receipt.envelopes[0].key_id in {key.key_id for key in STRICT.signers()}


def traced(receipt: Receipt) -> Receipt:
    evidence = Reexecution(trace_root=True)
    return upgrade(receipt, toy_run(), signer=P256_SIGNER, evidence=evidence, issued_at=NOW)


@pytest.mark.parametrize(
    ("receipt", "name", "is_rigid"),
    [
        (toy_receipt(), "plain", True),
        (toy_receipt(signer=P256_SIGNER), "P-256", True),
        (toy_receipt(private=True), "private", True),
        (toy_receipt(reveal=True), "revealed", True),
        (traced(toy_receipt()), "two trusted envelopes, one traced", False),
        (
            upgrade(toy_receipt(private=True), toy_run(), signer=OTHER_SIGNER, issued_at=NOW),
            "second envelope of a stranger",
            False,
        ),
    ],
)
def test_no_mutant_of_a_byte_verifies_with_another_meaning(
    receipt: Receipt, name: str, *, is_rigid: bool, criterion: RecordCriterion
) -> None:
    counts = campaign(receipt, **GIVEN)
    total = counts.rejected + counts.undecided + counts.same_meaning + len(counts.different)
    criterion(
        f"bytes of a bundle changed one at a time ({name})",
        required="0 verify with another meaning",
        measured=f"{len(receipt.to_bytes())} bytes, {total} mutants: {counts.rejected} rejected, "
        f"{counts.same_meaning} with the same meaning, {len(counts.different)} with another",
    )
    assert not counts.different
    assert total == counts.rejected + counts.same_meaning >= 2 * len(receipt.to_bytes())
    if is_rigid:
        # One envelope, every blob bound: not a single byte is free.
        assert counts.same_meaning == 0


def test_reveals_without_a_use_are_bound_as_well() -> None:
    # The input is the caller's own, so nothing needs the reveal; a changed one is still refused.
    receipt = toy_receipt(reveal=True)
    wrong = replace(receipt, reveals={"input.received": Reveal(b"\x00" * 8, b"")})
    with pytest.raises(VerificationError) as caught:
        verify(wrong, STRICT, **GIVEN)
    assert caught.value.check == "reveals"
