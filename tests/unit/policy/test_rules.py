"""The rules of a policy and their combinations."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from typing import Any

import pytest

from tests.toy import NONCE, NOW, OTHER_SIGNER, P256_SIGNER, PROGRAM, SIGNER, toy_receipt
from veridical.errors import InputError, KeyFormatError, PolicyFormatError
from veridical.policy import (
    AllOf,
    AnyOf,
    EnvelopeFacts,
    ExpectInput,
    ExpectOutput,
    Facts,
    MaxAge,
    MaxSaturation,
    MinSoundnessBits,
    Nonce,
    Policy,
    RequireTier,
    Result,
    TrustedModels,
    TrustedSigners,
    UnsafeAcceptAnything,
)

ENVELOPE = EnvelopeFacts(
    signer=SIGNER.public_key, tier="reexecution", issued_at=NOW, soundness_bits=math.inf
)
FACTS = Facts(
    statement=toy_receipt().statement,
    envelope=ENVELOPE,
    input_match=Result.ACCEPTED,
    output_match=Result.UNDECIDED,
    now=NOW,
)
UNSIGNED = replace(FACTS, envelope=None)
SATURATED = replace(
    FACTS,
    statement=replace(FACTS.statement, input=replace(FACTS.statement.input, saturated=3)),
)
DIGEST = "sha256:" + PROGRAM.digest.hex()
YES, MAYBE, NO = Result.ACCEPTED, Result.UNDECIDED, Result.REJECTED


@pytest.mark.parametrize(
    ("rule", "facts", "result"),
    [
        (TrustedSigners(SIGNER.public_key), FACTS, YES),
        (TrustedSigners(OTHER_SIGNER.public_key, SIGNER.public_key), FACTS, YES),
        (TrustedSigners(OTHER_SIGNER.public_key), FACTS, NO),
        (TrustedSigners(SIGNER.public_key), UNSIGNED, NO),
        (TrustedModels(DIGEST), FACTS, YES),
        (TrustedModels(PROGRAM.digest), FACTS, YES),
        (TrustedModels(bytes(32), PROGRAM.digest), FACTS, YES),
        (TrustedModels(bytes(32)), FACTS, NO),
        (RequireTier("reexecution"), FACTS, YES),
        (RequireTier("zk", "reexecution"), FACTS, YES),
        (RequireTier("zk"), FACTS, NO),
        (RequireTier("reexecution"), UNSIGNED, NO),
        (ExpectInput(), FACTS, YES),
        (ExpectOutput(), FACTS, MAYBE),
        (ExpectInput(), replace(FACTS, input_match=NO), NO),
        (Nonce(NONCE), FACTS, YES),
        (Nonce(NONCE + "0"), FACTS, NO),
        (Nonce("n"), FACTS, NO),
        (Nonce("n" * 256), FACTS, NO),
        (MaxAge(0), FACTS, YES),
        (MaxAge(10), replace(FACTS, now=NOW + 10), YES),
        (MaxAge(10), replace(FACTS, now=NOW + 11), NO),
        (MaxAge(10), replace(FACTS, now=NOW - 60), YES),
        (MaxAge(10), replace(FACTS, now=NOW - 61), NO),
        (MaxAge(10, clock_skew_seconds=0), replace(FACTS, now=NOW - 1), NO),
        (MaxAge(10), UNSIGNED, NO),
        (MaxSaturation(0), FACTS, YES),
        (MaxSaturation(3), SATURATED, YES),
        (MaxSaturation(2), SATURATED, NO),
        (AllOf(ExpectInput(), Nonce(NONCE)), FACTS, YES),
        (AllOf(ExpectInput(), ExpectOutput()), FACTS, MAYBE),
        (AllOf(ExpectInput(), ExpectOutput(), Nonce("x")), FACTS, NO),
        (AnyOf(ExpectOutput(), Nonce("x")), FACTS, MAYBE),
        (AnyOf(ExpectOutput(), Nonce("x"), ExpectInput()), FACTS, YES),
        (AnyOf(Nonce("x"), RequireTier("zk")), FACTS, NO),
        (UnsafeAcceptAnything(), UNSIGNED, YES),
    ],
)
def test_a_rule_answers_as_the_specification_says(
    rule: Policy, facts: Facts, result: Result
) -> None:
    answer = rule.evaluate(facts)
    assert answer.result is result
    assert answer.detail


@pytest.mark.parametrize(
    ("bits", "result"),
    [(100, YES), (99.5, NO), (math.inf, YES), (None, Result.UNDECIDED)],
)
def test_soundness_is_that_which_the_verifier_computed(bits: float | None, result: Result) -> None:
    facts = replace(FACTS, envelope=replace(ENVELOPE, soundness_bits=bits))
    assert MinSoundnessBits(100).evaluate(facts).result is result
    assert MinSoundnessBits(0).evaluate(replace(FACTS, envelope=None)).result is NO


def test_a_combination_names_the_rule_that_decides() -> None:
    assert AllOf(ExpectInput(), Nonce("x"), RequireTier("zk")).evaluate(FACTS).rule == "nonce"
    assert AnyOf(Nonce("x"), ExpectInput()).evaluate(FACTS).rule == "expect_input"
    every = AnyOf(Nonce("x"), RequireTier("zk")).evaluate(FACTS)
    assert every.rule == "any_of"
    assert "nonce" in every.detail
    assert "require_tier" in every.detail


def test_only_a_policy_that_asks_for_nothing_needs_no_signature() -> None:
    unsafe, rule = UnsafeAcceptAnything(), Nonce(NONCE)
    assert not unsafe.needs_signature
    assert not AnyOf(unsafe, rule).evaluate(FACTS).result < YES
    assert AnyOf(unsafe, rule).needs_signature is False
    assert AllOf(unsafe, rule).needs_signature is True
    assert AllOf(unsafe, unsafe).needs_signature is False
    assert rule.needs_signature


def test_the_keys_of_a_policy_are_those_of_all_its_rules() -> None:
    first, second, third = (key.public_key for key in (SIGNER, OTHER_SIGNER, P256_SIGNER))
    policy = AllOf(TrustedSigners(first), AnyOf(TrustedSigners(second, third), Nonce("x")))
    assert list(policy.signers()) == [first, second, third]
    assert list(Nonce("x").signers()) == []


def test_accepting_anything_is_logged_every_time(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        UnsafeAcceptAnything().evaluate(FACTS)
        UnsafeAcceptAnything().evaluate(FACTS)
    assert len(caplog.records) == 2
    assert FACTS.statement.receipt_id in caplog.text


@pytest.mark.parametrize("make", [AllOf, AnyOf, TrustedSigners, TrustedModels, RequireTier])
def test_an_empty_rule_is_refused(make: Any) -> None:
    with pytest.raises(PolicyFormatError, match="at least one"):
        make()


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (AllOf, [None]),
        (AllOf, [Nonce]),
        (AnyOf, ["trusted"]),
        (TrustedModels, ["sha256:12"]),
        (TrustedModels, [b"short"]),
        (TrustedModels, [""]),
        (Nonce, [""]),
        (Nonce, ["n" * 257]),
        (Nonce, [7]),
        (MaxAge, [-1]),
        (MaxAge, [True]),
        (MaxAge, [1.5]),
        (MaxAge, [1, -1]),
        (MaxSaturation, [-1]),
        (MaxSaturation, ["0"]),
        (RequireTier, [""]),
        (RequireTier, [1]),
    ],
)
def test_a_rule_that_could_not_hold_is_refused_when_it_is_made(
    make: Any, arguments: list[Any]
) -> None:
    with pytest.raises(PolicyFormatError):
        make(*arguments)


def test_only_checked_keys_can_be_trusted() -> None:
    text: Any = SIGNER.public_key.key_id
    with pytest.raises(KeyFormatError, match="expected a PublicKey"):
        TrustedSigners(text)
    with pytest.raises(InputError):
        TrustedSigners(text)
