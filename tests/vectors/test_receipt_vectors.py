"""Every file of `vectors/receipt/`: the valid are accepted, the broken refused by name."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

import veridical
from tests.vectors.write_receipts import FOLDER, files
from veridical import errors, policy
from veridical.keys import PublicKey
from veridical.receipt import Receipt
from veridical.verifier import explain, verify

CASES: dict[str, dict[str, str]] = json.loads((FOLDER / "cases.json").read_text())
GIVEN = json.loads((FOLDER / "given.json").read_text())
POLICY = policy.load(FOLDER / "policy.toml")
CALLER: dict[str, Any] = {
    "now": GIVEN["now"],
    "input": bytes.fromhex(GIVEN["input"]),
    "output": bytes.fromhex(GIVEN["output"]),
    "program": veridical.load(FOLDER / GIVEN["program"]),
}


def cases(kind: str) -> list[str]:
    return sorted(name for name in CASES if name.startswith(kind))


@pytest.mark.parametrize("name", cases("valid/"))
def test_valid_receipts_are_accepted(name: str) -> None:
    verified = verify(FOLDER / name, POLICY, **CALLER)
    assert verified.receipt_id == CASES[name]["receipt_id"]
    content = (FOLDER / name).read_bytes()
    assert Receipt.from_bytes(content).to_bytes() == content


@pytest.mark.parametrize("name", cases("invalid/"))
def test_broken_receipts_are_refused_by_the_named_check(name: str) -> None:
    expected = getattr(errors, CASES[name]["error"])
    with pytest.raises(expected) as caught:
        verify(FOLDER / name, POLICY, **CALLER)
    assert type(caught.value) is expected
    assert caught.value.check == CASES[name]["check"]
    report = explain(FOLDER / name, POLICY, **CALLER)
    assert report.verified is None
    assert type(report.error) is expected


@pytest.mark.parametrize("name", cases("refused_keys/"))
def test_bad_keys_are_refused_by_name(name: str) -> None:
    expected = getattr(errors, CASES[name]["error"])
    with pytest.raises(expected) as caught:
        PublicKey.load(FOLDER / name)
    assert type(caught.value) is expected


def test_every_file_is_a_case_and_every_case_is_written_again_bit_for_bit() -> None:
    written = files()
    present = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file()}
    assert present - {"README.md"} == set(written)
    changed = [name for name, content in written.items() if (FOLDER / name).read_bytes() != content]
    assert not changed


def test_the_example_of_the_specification_is_a_vector() -> None:
    text = (FOLDER.parents[1] / "spec" / "v1" / "receipt.md").read_text()
    bundle, payload = re.findall(r"^```json\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    receipt = Receipt.load(FOLDER / "valid" / "plain.receipt.json")
    for example, actual in (
        (bundle, receipt.to_bytes().decode()),
        (payload, receipt.envelopes[0].payload.decode()),
    ):
        # Wrapped and shortened with "...", but otherwise the very text.
        pieces = re.sub(r"\n *", "", example).split("...")
        pattern = "[0-9A-Za-z+/=]*".join(re.escape(piece) for piece in pieces)
        assert re.fullmatch(pattern, actual)
