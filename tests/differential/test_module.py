"""The committed WebAssembly module on every receipt and post of `vectors/`, against Python."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.agreement import MODULE, Judge, PostCase, ReceiptCase, verdict_of, wasm
from tests.repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

VECTORS: Final = ROOT / "vectors"
RECORD: Final = json.loads(MODULE.with_suffix(".wasm.json").read_text(encoding="utf-8"))
MAX_BYTES: Final = 2_500_000


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with wasm() as running:
        yield running


def inline(policy: str, *names: str) -> str:
    """Return a policy with the keys of its files inside."""
    keys = [(VECTORS / "receipt" / "keys" / f"{name}.pub").read_text() for name in names]
    lines = [
        f"keys = {json.dumps(keys)}" if line.startswith("key_files") else line
        for line in policy.splitlines()
    ]
    return "\n".join(lines)


def receipts() -> Iterator[tuple[str, ReceiptCase]]:
    """Yield every receipt, with the program and without it."""
    folder = VECTORS / "receipt"
    given = json.loads((folder / "given.json").read_text())
    policy = inline((folder / "policy.toml").read_text(), "ed25519", "p256")
    held: dict[str, Any] = {
        "now": given["now"],
        "policy": policy,
        "input": bytes.fromhex(given["input"]),
        "output": bytes.fromhex(given["output"]),
    }
    program = (folder / given["program"]).read_bytes()
    for path in sorted(folder.glob("*valid/*.receipt.json")):
        for one in (program, None):
            yield path.name, ReceiptCase(receipt=path.read_bytes(), program=one, **held)
    for path in sorted((folder / "refused_keys").glob("*.pub")):
        keys = json.dumps([path.read_bytes().decode("utf-8")])
        rule = f'version = "veridical-policy/v1"\n[[rule]]\ntype = "trusted_signers"\nkeys = {keys}'
        yield path.name, ReceiptCase(receipt=b"", policy=rule, now=0)


def logged_receipts() -> Iterator[tuple[str, ReceiptCase]]:
    """Yield every receipt with log proofs, under one to three cosigners; nothing is run again."""
    folder = VECTORS / "logged"
    document = json.loads((folder / "cases.json").read_text())
    for count in (1, 2, 3):
        signer = 'version = "veridical-policy/v1"\n[[rule]]\ntype = "trusted_signers"\nkey_files'
        policy = inline(signer, "ed25519") + (
            f'\n[[rule]]\ntype = "require_logged"\nlogs = ["{document["log"]}"]\n'
            f"cosigners = {json.dumps(document['cosigners'])}\nmin_cosigners = {count}\n"
            f"allow_split_view = {'true' if count == 1 else 'false'}\n"
        )
        for path in sorted(folder.glob("*.receipt.json")):
            yield (
                f"{path.name}, {count}",
                ReceiptCase(receipt=path.read_bytes(), policy=policy, now=1_796_000_000),
            )


def posts() -> Iterator[tuple[str, PostCase]]:
    """Yield every post."""
    folder = VECTORS / "post"
    document = json.loads((folder / "cases.json").read_text())
    policy = inline((folder / "policy.toml").read_text(), "ed25519")
    program = (folder / document["program"]).read_bytes()
    for name, case in document["cases"].items():
        held = {
            key: base64.b64decode(case[key]) if key in case else None for key in ("text", "receipt")
        }
        yield (
            name,
            PostCase(
                post=(folder / name).read_bytes(),
                policy=policy,
                now=document["now"],
                template=case["template"],
                program=program,
                **held,
            ),
        )


@pytest.mark.parametrize("cases", [receipts, logged_receipts, posts])
def test_the_module_gives_the_answers_of_python(judge: Judge, cases: Any) -> None:
    seen = set()
    for name, case in cases():
        expected = case.python()
        # Not only the verdict: every check, every word.
        assert judge.answer(case) == expected, name
        seen.add(verdict_of(expected))
    assert len(seen) >= 5
    best = "undecided" if cases is logged_receipts else "accepted"
    assert best in {verdict for verdict, *_ in seen}


def test_unusable_options_are_no_verdict(judge: Judge) -> None:
    _, case = next(receipts())
    name, receipt, options, program = case.parts()
    for wrong in (b"", b"{}", b"[]", options[:-1], b'{"policy":"","policy":""}'):
        changed = ReceiptCase(receipt=receipt, policy="", now=0)
        object.__setattr__(changed, "parts", lambda wrong=wrong: (name, receipt, wrong, program))
        answer = judge.answer(changed)
        assert answer["verdict"] is None
        assert answer["error"]["name"] in {"InputError", "PolicyFormatError"}


def test_the_module_is_the_one_of_these_sources() -> None:
    content = MODULE.read_bytes()
    assert (RECORD["module"], RECORD["bytes"]) == (sha256(content).hexdigest(), len(content))
    assert len(content) <= MAX_BYTES
    run = subprocess.run(
        (sys.executable, "scripts/wasm_sources.py"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    advice = "the crates were changed: VERIDICAL_WASM_RECORD=1 make wasm, then make page"
    assert run.stdout.strip() == RECORD["sources"], advice
