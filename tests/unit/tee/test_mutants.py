"""A changed bit of a quote never makes it say something else; a sample of the campaign."""

from __future__ import annotations

import pytest

from tests.unit.tee.mutants import binary, tally
from tests.unit.tee.vectors import vectors

#: A prime, so that every position within a byte is met.
STEP = 397


@pytest.mark.parametrize("name", ["sgx", "tdx", "snp", "nitro", "hopper"])
def test_no_mutant_is_accepted(name: str) -> None:
    vector = vectors()[name]
    result = tally(vector, range(0, 8 * len(binary(vector)), STEP))
    assert result.tried > 20
    assert not result.other_claims
    assert not result.same_claims
    assert result.rejected + result.undecided == result.tried
