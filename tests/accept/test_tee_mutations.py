"""Every single-bit mutant of genuine quotes: none is accepted with other claims."""

from __future__ import annotations

import pytest

from tests.acceptance import RecordCriterion
from tests.unit.tee.mutants import binary, tally
from tests.unit.tee.vectors import vectors

pytestmark = [pytest.mark.accept, pytest.mark.timeout(3600)]


@pytest.mark.parametrize("name", ["sgx", "tdx", "snp", "nitro", "hopper"])
def test_every_single_bit_mutant(name: str, criterion: RecordCriterion) -> None:
    vector = vectors()[name]
    result = tally(vector, range(8 * len(binary(vector))))
    checks = ", ".join(f"{check} {count}" for check, count in result.checks.most_common())
    criterion(
        f"single-bit mutants of {vector.name}",
        required="0 accepted with other claims; 0 accepted at all",
        measured=(
            f"{result.tried} tried: {result.rejected} rejected, {result.undecided} undecided, "
            f"{len(result.same_claims)} accepted with equal claims, "
            f"{len(result.other_claims)} with others ({checks})"
        ),
    )
    assert not result.other_claims
    assert not result.same_claims
