"""A gateway with `--tee simulator`, as its users run and ask it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest

import veridical
from tests.serving import EXAMPLE, served
from veridical.client import Client, Trust
from veridical.errors import QuoteError
from veridical.keys import PublicKey
from veridical.policy import AllOf, RequireTee, TrustedSigners
from veridical.tee import TeeContext, TeePolicy

if TYPE_CHECKING:
    from pathlib import Path

X = {"x": np.array([[0.25, -1.5, 0.75]], dtype=np.float32)}


def test_a_client_accepts_the_simulator_that_it_names_and_no_other(tmp_path: Path) -> None:
    with served(tmp_path / "state", options=("--tee", "simulator")) as gateway:
        parameters = httpx.get(f"{gateway.url}/v2").json()["parameters"]
        signer = PublicKey.from_pem(parameters["signer_pem"].encode())
        fingerprint = parameters["tee"].rpartition(" ")[2]
        for policy in (TeePolicy(simulators=frozenset({fingerprint})), TeePolicy()):
            trust = Trust(
                policy=AllOf(TrustedSigners(signer), RequireTee(policy)),
                programs={"example": veridical.load(EXAMPLE)},
                tee=TeeContext(time=int(time.time())),
            )
            with Client(gateway.url, trust) as client:
                if policy.simulators:
                    answer = client.infer("example", X)
                    assert answer.verified.tier == "tee"
                    assert answer.verified.assumptions[0].startswith("SIMULATED")
                    continue
                with pytest.raises(QuoteError) as raised:
                    client.infer("example", X)
                assert raised.value.check == "tee.simulated"
    assert not (tmp_path / "state" / "receipts.key").exists()
