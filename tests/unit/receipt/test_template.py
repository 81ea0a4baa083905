"""Receipts from a template are those that `issue` makes, byte for byte."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

import veridical
from tests.repository import ROOT
from tests.toy import SIGNER
from tests.unit.tee.scenes import CHALLENGE, key_set, simulator
from veridical.errors import InputError
from veridical.receipt import ReceiptTemplate, Seed, Sequence
from veridical.tee import Tee

PROGRAM = veridical.load(ROOT / "vectors" / "program" / "example.vprog")
DIGEST = "sha256:" + "5a" * 32


class Salts:
    """The same sequence of salts for each side."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, size: int) -> bytes:
        self.count += 1
        return hashlib.sha256(bytes([self.count])).digest()[:size]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"nonce": "100% <<request_id>> %(seed.mode)s"},
        {"private": True},
        {"private": True, "client_salt": b"s" * 32},
        {"client_salt": b"s" * 32},
        {"sequence": Sequence(stream="m", number=7, previous=DIGEST, intent=DIGEST)},
        {"seed": Seed(mode="vrf", proof="AAAA")},
    ],
)
def test_both_ways_give_the_same_bytes(options: dict[str, Any]) -> None:
    template = ReceiptTemplate(PROGRAM, SIGNER, random_bytes=Salts())
    salts = Salts()
    random = np.random.default_rng(5)
    for size in (1, 3):
        question = {"x": random.normal(size=(size, 3), scale=4).astype(np.float32)}
        run = veridical.run(PROGRAM, question)
        receipt = veridical.issue(run, signer=SIGNER, issued_at=9, random_bytes=salts, **options)
        issued = template.issue(run, issued_at=9, **options)
        assert issued.receipt_id == receipt.receipt_id
        assert issued.bundle == receipt.to_bytes()


def test_receipts_of_an_attested_key_are_of_its_tier() -> None:
    tee = Tee.of_keys(simulator(), key_set(), CHALLENGE)
    assert tee.keys is not None
    template = ReceiptTemplate(PROGRAM, SIGNER, attested=tee.keys.blob())
    run = veridical.run(PROGRAM, {"x": np.ones((1, 3), np.float32)})
    receipt = veridical.issue(run, signer=SIGNER, evidence=tee, issued_at=9, nonce="n")
    assert template.issue(run, issued_at=9, nonce="n").bundle == receipt.to_bytes()


@pytest.mark.parametrize("nonce", ["n" * 257, 'a"b', "a\\b", "a\nb", "é", "\x7f"])
def test_a_nonce_that_is_no_text_is_refused(nonce: str) -> None:
    run = veridical.run(PROGRAM, {"x": np.zeros((1, 3), np.float32)})
    with pytest.raises(InputError):
        ReceiptTemplate(PROGRAM, SIGNER).issue(run, nonce=nonce)
