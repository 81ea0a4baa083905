"""Every condition of spec/v1/program.md, section 4: valid at its limit, refused past it."""

from __future__ import annotations

import pytest

from tests.differential.near_misses import CASES, Case
from veridical import reference
from veridical.errors import ProgramError


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_condition_holds_at_its_limit_and_not_past_it(case: Case) -> None:
    reference.load(case.build(False).to_bytes())
    with pytest.raises(ProgramError) as caught:
        reference.load(case.build(True).to_bytes())
    assert caught.value.check == case.check, caught.value
    assert caught.value.where is not None
    assert caught.value.where.startswith("node ")


def test_names_of_cases_are_unique() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
