"""Seeds with a round of a beacon, judged by the Python verifier and by the module of the page."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.agreement import ReceiptCase, verdict_of, wasm
from tests.toy import NONCE, NOW, SIGNER
from tests.unit.seeds.scene import KEY, question
from tests.unit.seeds.test_beacon_receipts import WITNESS_KEY, serve
from tests.unit.tlog.logs import LOG_KEY
from veridical.seeds import QUICKNET

if TYPE_CHECKING:
    from pathlib import Path

SERVED: dict[str, dict[str, Any]] = {
    "genuine": {},
    "early round": {"number": 1},
    "late round": {"number": 1001},
    "seen too late": {"seen": QUICKNET.due(1000) - 1},
    "not seen": {"keep_early_proof": False},
    "another mode": {"mode": "vrf"},
}


def policies() -> list[str]:
    """Return policies that name the key, with and without the question, streams and the log."""
    asked = question()
    keys = [json.dumps(one.public_key.to_pem().decode()) for one in (SIGNER, KEY)]
    decode = ", ".join(f"{name} = {json.dumps(v)}" for name, v in asked.parameters.decode)
    named = (
        f'nonce = "{NONCE}"\nmodels = ["{asked.model}"]\nparameters = {{ decode = {{ {decode} }} }}'
    )
    free = 'any = ["nonce", "models", "parameters"]'
    logs = f'mode = "vrf+beacon"\nlogs = ["{LOG_KEY.vkey}"]\ncosigners = ["{WITNESS_KEY.vkey}"]'
    rules = (
        f"{named}\n{logs}",
        f'{named}\n{logs}\nstreams = ["live"]',
        f'{named}\n{logs}\nstreams = ["other"]',
        f"{free}\n{logs}",
        f'{named}\nmode = "vrf"',
    )
    head = (
        f'version = "veridical-policy/v1"\n[[rule]]\ntype = "trusted_signers"\nkeys = [{keys[0]}]'
    )
    return [
        f'{head}\n[[rule]]\ntype = "require_seed"\nkeys = [{keys[1]}]\n{rule}\n' for rule in rules
    ]


@pytest.mark.parametrize("name", SERVED)
def test_both_say_the_same_of_seeds_with_a_round(name: str, tmp_path: Path) -> None:
    receipt, _ = serve(tmp_path, **SERVED[name])
    seen = set()
    with wasm() as module:
        for one in (receipt, replace(receipt, evidence=())):
            for policy in policies():
                case = ReceiptCase(receipt=one.to_bytes(), policy=policy, now=NOW)
                expected = case.python()
                assert module.answer(case) == expected
                seen.add(verdict_of(expected))
    assert len(seen) >= 2
