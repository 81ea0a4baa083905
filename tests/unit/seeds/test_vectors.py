"""What the extension computes against what others recorded."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import mpmath
import numpy as np
import pytest

from tests.repository import ROOT
from tests.unit.seeds import reference
from veridical import _core
from veridical.errors import InputError, SeedError
from veridical.seeds import QUICKNET, DrandChain, RecordedRounds, Round, noise

FOLDER = ROOT / "vectors" / "seeds"


def read(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def other_chain() -> DrandChain:
    chain = read("quicknet_t.json")["chain"]
    raw = {name: bytes.fromhex(chain[name]) for name in ("chain", "key", "group_hash")}
    return DrandChain(name=chain["name"], genesis=chain["genesis"], period=chain["period"], **raw)


@pytest.mark.parametrize("vector", read("ecvrf_edwards25519_sha512_tai.json"))
def test_proofs_are_those_of_rfc_9381(vector: dict[str, str]) -> None:
    raw = {name: bytes.fromhex(value) for name, value in vector.items() if name != "example"}
    assert _core.vrf_public_key(raw["secret"]) == raw["public"]
    assert _core.vrf_prove(raw["secret"], raw["alpha"]) == (raw["proof"], raw["output"])
    assert _core.vrf_verify(raw["public"], raw["alpha"], raw["proof"]) == raw["output"]


@pytest.mark.parametrize("vector", read("quicknet.json"), ids=lambda vector: str(vector["round"]))
def test_recorded_rounds_verify(vector: dict[str, Any]) -> None:
    one = Round(number=vector["round"], signature=bytes.fromhex(vector["signature"]))
    randomness = QUICKNET.verify(one).hex()
    assert randomness == vector.get("randomness", randomness)
    for number in (one.number - 1, one.number + 1):
        with pytest.raises(SeedError) as caught:
            QUICKNET.verify(replace(one, number=number))
        assert caught.value.check == "seed.beacon"


def test_a_round_of_another_chain_is_refused() -> None:
    for vector in read("quicknet_t.json")["rounds"]:
        one = Round(number=vector["round"], signature=bytes.fromhex(vector["signature"]))
        assert other_chain().verify(one).hex() == vector["randomness"]
        with pytest.raises(SeedError, match="RoundSignature"):
            QUICKNET.verify(one)


def test_the_pinned_chain_is_the_one_that_its_hash_names() -> None:
    assert QUICKNET.chain.hex().startswith("52db9ba70e0cc0f6")
    with pytest.raises(InputError, match="chain hash"):
        replace(QUICKNET, period=30)
    with pytest.raises(InputError, match="chain hash"):
        replace(QUICKNET, key=other_chain().key)


def test_rounds_are_due_one_after_another() -> None:
    assert QUICKNET.due(1) == 1692803367
    assert QUICKNET.due(1000) == 1692803367 + 2997
    assert QUICKNET.first_after(0) == 1
    assert QUICKNET.first_after(QUICKNET.genesis - 1) == 1
    for time in range(QUICKNET.genesis, QUICKNET.genesis + 10):
        number = QUICKNET.first_after(time)
        assert QUICKNET.due(number - 1) <= time < QUICKNET.due(number)


def test_recorded_rounds_are_verified_when_they_are_loaded() -> None:
    rounds = RecordedRounds.load(QUICKNET, FOLDER / "quicknet.json")
    assert rounds.get(1000) is not None
    assert rounds.get(1004) is None
    with pytest.raises(SeedError):
        RecordedRounds.load(other_chain(), FOLDER / "quicknet.json")
    with pytest.raises(InputError, match="not a file of rounds"):
        RecordedRounds.load(QUICKNET, FOLDER / "quicknet_t.json")
    with pytest.raises(InputError, match="not a file of rounds"):
        RecordedRounds.load(QUICKNET, FOLDER / "no such file")


def test_the_file_of_noise_is_what_the_reference_writes() -> None:
    assert reference.VECTORS.read_text(encoding="utf-8") == reference.text()


@pytest.mark.parametrize("vector", read("noise.json"))
def test_noise_and_draws_are_those_of_the_reference(vector: dict[str, Any]) -> None:
    seed, row = bytes.fromhex(vector["seed"]), vector["row"]
    assert noise(seed, row, len(vector["noise"])).tolist() == vector["noise"]
    if row == 0:
        drawn = _core.gumbel_sample(
            seed,
            np.array([vector["logits"]], np.int32),
            mul=vector["mul"],
            shift=vector["shift"],
            temperature=tuple(vector["temperature"]),
        )
        assert drawn.tolist() == [vector["drawn"]]


def test_the_extension_and_the_reference_agree_on_thousands_of_numbers() -> None:
    seed = bytes(range(32))
    assert noise(seed, 5, 5000).tolist() == reference.noise(seed, 5, 5000)


def test_the_error_of_noise_is_below_the_bound_of_the_spec() -> None:
    # Both tails, both sides of the threshold, and numbers of every size.
    corners = [0, 1, 2, 2**63, 2**64 - 1, 2**64 - 2**48, 2**64 - 2**48 + 2, 2**64 - 2**48 - 2]
    sizes = [2**k + 12345 % 2**k for k in range(64)]
    sizes += [2**64 - size for size in sizes]
    drawn = [reference.number(bytes(32), 0, j) for j in range(2000)]
    worst = mpmath.mpf(0)
    with mpmath.workprec(200):
        for r in [*corners, *sizes, *drawn]:
            u = mpmath.mpf(r | 1) / 2**64
            exact = -mpmath.log(-mpmath.log(u))
            worst = max(worst, abs(mpmath.mpf(reference.noise_of(r)) / 2**24 - exact))
    assert worst < mpmath.mpf(2) ** -23
    assert worst > mpmath.mpf(2) ** -25  # it is the floor that dominates, as the spec says
