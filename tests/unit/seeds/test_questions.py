"""Rule `require_seed` holds every part of the question fast, or says that it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.toy import NOW, SIGNER
from tests.unit.seeds.scene import (
    KEY,
    PROGRAM,
    RUN,
    SAMPLER,
    drawn_receipt,
    policy,
    question,
    require_seed,
)
from veridical.errors import PolicyError, PolicyFormatError
from veridical.policy import ANY, AllOf, AnyOf, ExpectDecode, RequireSeed, TrustedSigners
from veridical.receipt import Parameters
from veridical.seeds import Sampler, draw
from veridical.verifier import verify

OTHER_MODEL = "sha256:" + "0" * 64


def judged(*rules: Any, asked: Any = None) -> Any:
    """Judge an honest answer to a question by these rules alone."""
    asked = asked or question()
    receipt, answer = drawn_receipt(draw(KEY, asked), asked=asked)
    own = AllOf(TrustedSigners(SIGNER.public_key), *rules)
    return verify(receipt, own, now=NOW, input=RUN.inputs, output=answer, program=PROGRAM)


def test_every_part_is_compared() -> None:
    judged(require_seed())
    for changes in (
        {"nonce": "another"},
        {"nonce": ""},
        {"models": [OTHER_MODEL]},
        {"parameters": Parameters()},
        {"parameters": Sampler(tensor="y").to_parameters()},
        {"parameters": replace(SAMPLER.to_parameters(), tokenizer="sha256:" + "1a" * 32)},
    ):
        with pytest.raises(PolicyError, match="require_seed"):
            judged(require_seed(**changes))
    judged(require_seed(models=[OTHER_MODEL, PROGRAM.digest]))
    unordered = Parameters(decode=SAMPLER.to_parameters().decode[::-1])
    judged(require_seed(parameters=unordered))


def test_a_client_that_sent_no_nonce_says_so() -> None:
    asked = question(nonce="")
    judged(require_seed(nonce=""), asked=asked)
    with pytest.raises(PolicyError, match="request id ''"):
        judged(require_seed(), asked=asked)
    with pytest.raises(PolicyError, match="order-4711"):
        judged(require_seed(nonce=""))


@pytest.mark.parametrize("part", ["nonce", "models", "parameters"])
def test_a_part_that_is_not_compared_is_named(part: str) -> None:
    free: dict[str, Any] = {part: ANY}
    verified = judged(require_seed(**free))
    [line] = [one for one in verified.assumptions if one.startswith("seed:")]
    assert {"nonce": "nonce", "models": "model", "parameters": "parameters"}[part] in line
    given: dict[str, Any] = {"nonce": "", "models": ANY, "parameters": ANY}
    del given[part]
    with pytest.raises(TypeError):  # nothing is left out by silence
        RequireSeed("vrf", KEY.public_key, **given)


def test_what_is_compared_is_no_assumption() -> None:
    receipt, answer = drawn_receipt()
    given: dict[str, Any] = {"now": NOW, "input": RUN.inputs, "output": answer, "program": PROGRAM}
    verified = verify(receipt, policy(), **given)
    assert not [one for one in verified.assumptions if one.startswith("seed:")]
    # Only the branch that accepted speaks.
    loose, strict = require_seed(nonce=ANY), require_seed()
    for rules, count in (((strict, loose), 0), ((loose, strict), 1)):
        verified = verify(receipt, AllOf(policy(), AnyOf(*rules)), **given)
        assert len([one for one in verified.assumptions if one.startswith("seed:")]) == count


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": None},
        {"nonce": 7},
        {"nonce": "x" * 257},
        {"parameters": {}},
        {"parameters": ExpectDecode({})},
        {"models": []},
        {"models": OTHER_MODEL},
        {"models": ["sha256:00"]},
        {"models": 7},
        {"asked_at": NOW, "within": 9},
        {"asked_at": NOW},
    ],
)
def test_rules_that_compare_nothing_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(PolicyFormatError):
        require_seed(**changes)
