"""`veridical tee`: every row of the evidence by command, and the collateral that is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.tee.scenes import simulator
from tests.unit.tee.vectors import FOLDER, require_vectors
from veridical.cli.app import run

TDX = ["tdx/quote_v4.bin", "--collateral", "tdx/quote_v4_collateral.json"]
SGX = ["sgx/quote_v3.bin", "--collateral", "sgx/quote_v3_collateral.json"]
OLD = ["tdx/quote_v4_outdated.bin", "--collateral", "tdx/quote_v4_outdated_collateral.json"]
CHAIN = ["--collateral", "sev_snp/milan_chain.pem"]
SNP = ["sev_snp/report_v2_milan.hex", "--collateral", "sev_snp/vcek_milan.der", *CHAIN]
DEBUG = ["sev_snp/report_v2_milan_debug.bin", "--collateral", "sev_snp/vcek_debug.der", *CHAIN]
NITRO = ["nitro/attestation.bin"]
GPU = [
    *("nvidia/hopper_report.txt", "--certificates", "nvidia/hopper_cert_chain.txt"),
    *("--collateral", "nvidia/rim_driver_gh100_550.90.07.xml"),
    *("--collateral", "nvidia/rim_vbios_96009F0001.xml"),
]
ALLOW_SGX = ["--allow", "ConfigurationAndSWHardeningNeeded"]
ALLOW_SGX += ["--allow", "INTEL-SA-00289", "--allow", "INTEL-SA-00615"]
MILAN = ["--allow", "milan"]

ROWS = [
    (SGX, "2025-06-19T11:56:11Z", [], 1, "tee.status"),
    (SGX, "2025-06-19T11:56:11Z", ALLOW_SGX, 0, ""),
    (TDX, "2025-06-19T11:32:27Z", [], 0, ""),
    (TDX, "2026-11-22", [], 3, "tee.collateral-stale"),
    (OLD, "2026-02-18T11:58:51Z", [], 1, "tee.tcb"),
    (SNP, "2025-06-01", [], 1, "tee.generation"),
    (SNP, "2025-06-01", MILAN, 0, ""),
    (DEBUG, "2025-06-01", MILAN, 1, "tee.debug"),
    (NITRO, "1766668537", [], 0, ""),
    (NITRO, "2026-11-22", [], 1, "tee.expired"),
    (NITRO, None, [], 3, "tee.time"),
    (["nitro/attestation_debug.bin"], "1766650846", [], 1, "tee.debug"),
    (GPU, "2025-06-01", [], 0, ""),
]


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the user's own collateral out of the tests."""
    monkeypatch.setenv("VERIDICAL_COLLATERAL", str(tmp_path / "store"))
    return tmp_path / "store"


def paths(arguments: list[str]) -> list[str]:
    require_vectors()
    return [str(FOLDER / one) if "/" in one else one for one in arguments]


@pytest.mark.parametrize(("files", "at", "options", "code", "check"), ROWS)
def test_every_row_gets_its_verdict_by_command(
    files: list[str],
    at: str | None,
    options: list[str],
    code: int,
    check: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    time = [] if at is None else ["--at", at]
    assert run(["tee", "verify", *paths(files), *time, *options]) == code
    captured = capsys.readouterr()
    assert captured.out.startswith({0: "accepted", 1: "rejected", 3: "undecided"}[code])
    assert check in captured.out
    assert "not covered: physical attacks" in captured.out or check == "tee.tcb"


def test_explain_says_it_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tee", "explain", *paths(DEBUG)]) == 0
    out = capsys.readouterr().out
    assert "quote of sev-snp (milan), genuine" in out
    assert "debug mode: whoever runs the machine" in out
    assert "keys of this generation leak" in out
    assert run(["tee", "explain", *paths(TDX[:1]), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["verified"] is False
    assert document["claims"]["generation"] == "tdx-1.0"
    assert document["verdict"] == "undecided"


def test_collateral_is_kept_and_then_found(
    own_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ["--at", "2025-06-19T11:32:27Z"]
    assert run(["tee", "verify", *paths(TDX[:1]), *at]) == 3
    assert run(["tee", "collateral", "add", *paths(TDX[2:])]) == 0
    assert run(["tee", "verify", *paths(TDX[:1]), *at]) == 0
    assert run(["tee", "verify", *paths(TDX[:1]), *at, "--no-store"]) == 3
    capsys.readouterr()
    assert run(["tee", "collateral", "show", "--json"]) == 0
    (item,) = json.loads(capsys.readouterr().out)["items"]
    assert (item["kind"], item["evaluation"]) == ("intel", 17)
    assert own_store.is_dir()


def test_a_policy_file_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = tmp_path / "policy.toml"
    head = 'version = "veridical-policy/v1"\n[[rule]]\ntype = "require_tee"\n'
    policy.write_text(head + 'generations = ["milan"]\n')
    arguments = ["tee", "verify", *paths(SNP), "--at", "2025-06-01", "--policy", str(policy)]
    assert run(arguments) == 0
    policy.write_text(head + "max_vmpl = 0\nsmt = false\ngenerations = ['milan']\n")
    assert run(arguments) == 1
    assert "tee.platform-option" in capsys.readouterr().out
    policy.write_text(head.replace("require_tee", "expect_input"))
    assert run(arguments) == 2


@pytest.mark.parametrize("options", [["--at", "soon"], ["--allow", "everything"]])
def test_an_option_that_means_nothing_is_an_error(options: list[str]) -> None:
    assert run(["tee", "verify", *paths(TDX), *options]) == 2


def test_a_simulated_quote_is_flagged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    attester = simulator()
    made = attester.attest(bytes(32))
    quote, bundle = tmp_path / "quote.bin", tmp_path / "bundle.json"
    quote.write_bytes(made.quotes[0].content)
    bundle.write_bytes(made.collateral.to_bytes())
    arguments = [str(quote), "--collateral", str(bundle), "--at", "1796000000"]
    assert run(["tee", "verify", *arguments]) == 1
    assert "tee.simulated" in capsys.readouterr().out
    assert run(["tee", "verify", *arguments, "--allow", attester.fingerprint]) == 0
    assert "SIMULATED: no hardware" in capsys.readouterr().out
    assert run(["tee", "collateral", "add", str(bundle)]) == 1
