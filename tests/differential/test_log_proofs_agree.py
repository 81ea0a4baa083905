"""Mixtures of log proofs, judged by the Python verifier and by the module of the page."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from tests.agreement import ReceiptCase, wasm
from tests.soundness.test_log_proofs import MIN, MOST, RECEIPT, pool
from tests.toy import NOW, SIGNER
from tests.unit.tlog.logs import LOG_KEY
from tests.vectors.write_logged import WITNESS_KEYS, cases

NUM_MIXTURES = 2000 if os.environ.get("VERIDICAL_CAMPAIGN") == "full" else 60
HEAD = (
    'version = "veridical-policy/v1"\n[[rule]]\ntype = "trusted_signers"\n'
    f'keys = ["""{SIGNER.public_key.to_pem().decode()}"""]\n'
)


def policy(count: int, *, split: bool = False) -> str:
    """Return a policy that asks for so many of the three cosigners."""
    named = ", ".join(f'"{key.vkey}"' for key in WITNESS_KEYS)
    return (
        f'{HEAD}[[rule]]\ntype = "require_logged"\nlogs = ["{LOG_KEY.vkey}"]\n'
        f"cosigners = [{named}]\nmin_cosigners = {count}\n"
        + ("allow_split_view = true\n" if split else "")
    )


@pytest.mark.timeout(1200)
def test_both_say_the_same_of_every_mixture() -> None:
    random = np.random.default_rng(20261123)
    policies = [policy(MIN), policy(MIN), policy(3), policy(0), policy(1, split=True), policy(1)]
    checks = set()
    with wasm() as module:
        for _ in range(NUM_MIXTURES):
            drawn = [pool()[number] for number in random.integers(len(pool()), size=MOST)]
            blobs = [one.blob for one in drawn]
            if random.integers(3) == 0:  # and something is broken
                at = random.integers(len(blobs))
                broken = bytearray(blobs[at])
                broken[random.integers(len(broken))] ^= 1 << int(random.integers(8))
                blobs[at] = bytes(broken)
            receipt = replace(RECEIPT, evidence=tuple(dict.fromkeys(blobs)))
            case = ReceiptCase(
                receipt=receipt.to_bytes(), policy=policies[random.integers(6)], now=NOW
            )
            expected = case.python()
            assert module.answer(case) == expected
            error = expected["error"]
            checks.add(None if error is None else error["check"])
    assert len(checks) >= 2


def test_both_say_the_same_of_every_vector() -> None:
    with wasm() as module:
        for case in cases():
            given = ReceiptCase(receipt=case.receipt.to_bytes(), policy=policy(MIN), now=NOW)
            assert module.answer(given) == given.python(), case.name
