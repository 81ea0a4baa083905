"""`veridical run --sample`: a draw that a policy file accepts, and mistakes that are named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import veridical
from attacks.scene import PROGRAM, QUESTION
from veridical import keys
from veridical.cli.app import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    np.savez(tmp_path / "x.npz", x=QUESTION["x"])
    for name in ("signer", "seeds"):
        private = keys.generate()
        private.save(tmp_path / f"{name}.key")
        private.public_key.save(tmp_path / f"{name}.pub")
    return tmp_path


def sampled(folder: Path, *more: str, code: int = 0) -> None:
    options = ["--input", str(folder / "x.npz"), "--key", str(folder / "signer.key")]
    options += ["--output", str(folder / "y.npz"), "--receipt", str(folder / "a.receipt.json")]
    assert run(["run", str(PROGRAM), *options, *more, "--json"]) == code


def judged(folder: Path, capsys: pytest.CaptureFixture[str], nonce: str, code: int) -> Any:
    model = "sha256:" + veridical.load(PROGRAM).digest.hex()
    (folder / "policy.toml").write_text(
        'version = "veridical-policy/v1"\n'
        '[[rule]]\ntype = "trusted_signers"\nkey_files = ["signer.pub"]\n'
        '[[rule]]\ntype = "expect_output"\n'
        '[[rule]]\ntype = "require_seed"\nmode = "vrf"\nkey_files = ["seeds.pub"]\n'
        f'nonce = "{nonce}"\nmodels = ["{model}"]\n'
        '[rule.parameters]\ndecode = {sampler = "gumbel-max/v1", tensor = "y", '
        "temperature_numerator = 7, temperature_denominator = 10}\n"
    )
    capsys.readouterr()
    command = ["verify", str(folder / "a.receipt.json"), "--policy", str(folder / "policy.toml")]
    command += ["--program", str(PROGRAM), "--input", str(folder / "x.npz")]
    command += ["--output", str(folder / "y.npz"), "--json"]
    assert run(command) == code
    return json.loads(capsys.readouterr().out)


def test_a_draw_is_the_same_each_time_and_verifies(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--sample", "y", "--seed-key", str(folder / "seeds.key"), "--temperature", "7/10"]
    drawn = []
    for _ in range(2):
        capsys.readouterr()
        sampled(folder, *asked, "--nonce", "order-4711")
        drawn.append(json.loads(capsys.readouterr().out)["outputs"]["y"])
    assert drawn[0] == drawn[1]
    assert np.load(folder / "y.npz")["y"].tolist() == drawn[0]
    assert judged(folder, capsys, "order-4711", 0)["verdict"] == "accepted"
    refused = judged(folder, capsys, "order-4712", 1)
    assert refused["error"]["check"] == "policy"
    changed = 1 - np.load(folder / "y.npz")["y"]
    np.savez(folder / "y.npz", y=changed)
    assert judged(folder, capsys, "order-4711", 1)["error"]["check"] == "output"


@pytest.mark.parametrize(
    "more",
    [
        ["--sample", "y"],
        ["--seed-key", "seeds.key"],
        ["--sample", "y", "--seed-key", "seeds.key", "--private"],
        ["--sample", "z", "--seed-key", "seeds.key"],
        ["--sample", "y", "--seed-key", "nowhere.key"],
        ["--sample", "y", "--seed-key", "seeds.key", "--temperature", "0.7"],
        ["--sample", "y", "--seed-key", "seeds.key", "--temperature", "2/4"],
        ["--sample", "y", "--seed-key", "seeds.key", "--temperature", "0"],
    ],
)
def test_mistakes_exit_with_2(folder: Path, more: list[str]) -> None:
    sampled(folder, *(str(folder / one) if one.endswith(".key") else one for one in more), code=2)
    assert not (folder / "a.receipt.json").exists()
