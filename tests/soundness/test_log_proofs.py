"""Log proofs in any number, order and mixture: more never shows less, and nothing shows too much.

What each mixture must give is computed here from a second, plain reading of spec/v1/log.md,
section 6, over what the proofs were made of.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.toy import NOW
from tests.unit.tlog.logs import LOG_KEY, statement
from tests.vectors.write_logged import WITNESS_KEYS, intent_of, issued, proofs
from veridical.errors import VerificationError
from veridical.tlog import Intent, LogTrust, Result, verify_logged

MIN = 2
#: Proofs in one mixture.
MOST = 8
TRUST = LogTrust(logs=(LOG_KEY,), cosigners=WITNESS_KEYS, min_cosigners=MIN)
INTENT = intent_of()
RECEIPT = issued(INTENT)
RESULT = Result(intent=0, statement=RECEIPT.receipt_id, time=NOW + 1)


@dataclass(frozen=True)
class Proof:
    """A proof, and what it was made of."""

    blob: bytes
    entry: Any
    leaf: int
    head: str
    cosigners: frozenset[int]
    time: int

    @property
    def counts(self) -> bool:
        """Whether it has enough cosignatures."""
        return len(self.cosigners) >= MIN

    def shares_view(self, other: Proof) -> bool:
        """Whether this is one history with another, as far as cosigners say."""
        return self.head == other.head or len(self.cosigners & other.cosigners) >= MIN


@cache
def pool() -> tuple[Proof, ...]:
    """Return proofs of several histories, under heads that several quorums signed."""
    histories: dict[str, list[Any]] = {
        "one": [INTENT],
        "two": [INTENT, RESULT],
        "three": [INTENT, RESULT, RESULT],
        "fork": [INTENT, replace(RESULT, time=NOW + 5)],
        "late": [intent_of(request_id="x"), INTENT, replace(RESULT, intent=1)],
        "swapped": [replace(RESULT, intent=1), INTENT],
        "other": [intent_of(request_id="x"), Result(intent=0, statement=statement(1), time=NOW)],
        "again": [INTENT, INTENT, RESULT],
    }
    quorums = [(0, 1), (1, 2), (0, 1, 2), (0,)]
    made = []
    for (head, entries), by, at in product(histories.items(), quorums, (NOW + 2, NOW + 50)):
        blobs = proofs(entries, *range(len(entries)), by=by, at=at)
        for leaf, blob in enumerate(blobs):
            made.append(Proof(blob, entries[leaf], leaf, head, frozenset(by), at))
    return tuple(made)


def expected(given_: tuple[Proof, ...]) -> set[tuple[int, int, tuple[tuple[int, int], ...]]]:
    """Return every binding: intent, result, and when each cosigner had seen the intent."""
    found = set()
    counted = [one for one in given_ if one.counts]
    for result in counted:
        if not isinstance(result.entry, Result) or result.entry.statement != RECEIPT.receipt_id:
            continue
        intents = [
            one
            for one in counted
            if isinstance(one.entry, Intent)
            and one.entry == INTENT
            and one.leaf == result.entry.intent < result.leaf
            and one.shares_view(result)
        ]
        if intents:
            seen: dict[int, int] = {}
            for one in intents:
                for number in one.cosigners:
                    # Each cosigner of a head signs a second after the one before.
                    seen[number] = min(seen.get(number, 2**63), one.time + number)
            found.add((result.entry.intent, result.leaf, tuple(sorted(seen.items()))))
    return found


def shown(given_: tuple[Proof, ...]) -> set[tuple[int, int, tuple[tuple[int, int], ...]]]:
    """Return what the verifier finds, in the same form."""
    blobs = tuple(dict.fromkeys(one.blob for one in given_))
    try:
        found = verify_logged(replace(RECEIPT, evidence=blobs), TRUST)
    except VerificationError:
        return set()
    return {
        (
            one.intent,
            one.result,
            tuple(sorted((WITNESS_KEYS.index(c.key), c.timestamp) for c in one.intent_seen)),
        )
        for one in found
    }


MIXTURES = st.lists(st.sampled_from(range(len(pool()))), max_size=MOST).map(
    lambda numbers: tuple(pool()[number] for number in numbers)
)


@given(MIXTURES)
@settings(deadline=None)
def test_the_verifier_finds_what_a_plain_reading_of_the_rules_finds(
    mixture: tuple[Proof, ...],
) -> None:
    assert shown(mixture) == expected(mixture)


@given(MIXTURES, MIXTURES)
@settings(deadline=None)
def test_a_proof_that_is_added_makes_no_binding_worse(
    mixture: tuple[Proof, ...], more: tuple[Proof, ...]
) -> None:
    after = shown(mixture + more)
    for intent, result, seen in shown(mixture):
        better = [one for one in after if one[:2] == (intent, result)]
        assert any(all(dict(one[2]).get(who, 2**63) <= at for who, at in seen) for one in better)


@pytest.mark.parametrize("name", ["swapped", "other"])
def test_histories_without_the_pair_show_nothing(name: str) -> None:
    assert shown(tuple(one for one in pool() if one.head == name)) == set()


def test_mixtures_are_of_both_kinds() -> None:
    # Otherwise the tests above would show little.
    numbers = np.random.default_rng(20261122).integers(len(pool()), size=(200, MOST))
    bound = [expected(tuple(pool()[number] for number in row)) for row in numbers]
    assert 40 < sum(map(bool, bound)) < 190
    assert sum(len(found) > 1 for found in bound) > 10
