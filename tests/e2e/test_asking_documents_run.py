"""What the documents show of serving, asking and posting works as it stands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import onnx
import pytest

import veridical
from examples.serving import ask, ask_triton
from tests.e2e.test_shown_documents_run import MODEL, SAMPLES, blocks
from tests.postgres import free_port
from tests.repository import ROOT
from veridical.cli.app import run as command
from veridical.post import Post, Relation

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

POLICY = """version = "veridical-policy/v1"

[[rule]]
type = "trusted_signers"
key_files = ["veridical-state/receipts.pub"]

[[rule]]
type = "require_tier"
tiers = ["reexecution"]
"""


def lines(document: str, command: str) -> list[str]:
    """Return the shown command lines of one subcommand."""
    shown = "\n".join(blocks((ROOT / document).read_text(encoding="utf-8"), "sh"))
    return [
        line.partition("#")[0].strip()
        for line in shown.splitlines()
        if line.startswith(f"veridical {command} ")
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a compiled model, as the quickstart leaves it."""
    path = tmp_path_factory.mktemp("newcomer")
    samples = np.load(SAMPLES)["x"].astype(np.float32)
    model = onnx.load(MODEL)
    old, shown = model.graph.input[0].name, "x"  # as the documents call it
    for node in model.graph.node:
        node.input[:] = [shown if name == old else name for name in node.input]
    model.graph.input[0].name = shown
    onnx.save(model, path / "model.onnx")
    np.savez(path / "samples.npz", x=samples)
    np.savez(path / "question.npz", x=samples[:1])
    program = veridical.compile(path / "model.onnx", calibration={"x": samples})
    program.save(path / "model.vprog")
    (path / "policy.toml").write_text(POLICY, encoding="utf-8")
    return path


@contextmanager
def running(line: str, folder: Path, *ports: int) -> Iterator[Path]:
    """Run a shown command that serves; its ports are replaced by those that are free."""
    for shown, port in zip(("8080", "8081"), ports, strict=False):
        line = line.replace(shown, str(port))
    assert str(ports[-1]) in line
    words = line.split()
    words[0] = str(Path(sys.executable).with_name("veridical"))
    errors = folder / f"{words[1]}.err"
    with errors.open("wb") as stream:
        process = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=stream)
    try:
        end = time.monotonic() + 60
        while True:
            try:
                if httpx.get(f"http://127.0.0.1:{ports[-1]}/v2/health/ready").status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            assert process.poll() is None, errors.read_text()
            assert time.monotonic() < end, errors.read_text()
            time.sleep(0.05)
        yield errors
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def port(folder: Path) -> Iterator[int]:
    """Serve as the document shows, and return the port."""
    (shown,) = [line for line in lines("docs/serve.md", "serve") if "--api-keys" not in line]
    assert lines("README.md", "serve") == [shown]
    number = free_port()
    with running(shown, folder, number):
        yield number


def executed(code: str, folder: Path, port: int, names: dict[str, Any]) -> dict[str, Any]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        exec(compile(code.replace("8080", str(port)), "document", "exec"), names)  # noqa: S102 - our own document
    finally:
        os.chdir(before)
    return names


def test_readme_leads_to_a_verified_answer(folder: Path, port: int) -> None:
    code = blocks((ROOT / "README.md").read_text(encoding="utf-8"), "python")[1]
    names = {"veridical": veridical, "x": np.load(folder / "question.npz")["x"]}
    start = time.monotonic()
    answer = executed(code, folder, port, names)["answer"]
    assert time.monotonic() - start < 30
    assert isinstance(answer.verified, veridical.Verified)
    expected = veridical.run(veridical.load(folder / "model.vprog"), {"x": names["x"]}).outputs
    for name, array in expected.items():
        np.testing.assert_array_equal(answer[name], array)


def test_serving_document_runs(folder: Path, port: int) -> None:
    text = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for code in blocks(text, "python"):
        executed(code, folder, port, names)
    assert names["answer"].verified.tier == "reexecution"
    assert names["proven"].verified.tier == "zk"
    assert names["later"].verified.receipt_id == names["quick"].verified.receipt_id
    assert names["later"].verified.tier == "zk"


def test_examples_ask_through_gateway_and_proxy(
    folder: Path, port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    state = folder / "veridical-state"
    paths = [state / "receipts.pub", folder / "model.vprog", folder / "question.npz"]
    ask.main(f"http://127.0.0.1:{port}", *map(str, paths))
    verified = capsys.readouterr().out
    (shown,) = lines("docs/serve.md", "proxy")
    second = free_port()
    with running(shown, folder, port, second) as errors:
        for address in (port, second):  # straight, where nothing is verified, and through the proxy
            ask_triton.main(f"127.0.0.1:{address}", "model", str(folder / "question.npz"))
            answered = capsys.readouterr().out
            assert answered.splitlines()[0] == verified.splitlines()[0]
        receipt_id = answered.splitlines()[-1].split()[-1]
    assert f"model: verified (reexecution) {receipt_id}" in errors.read_text()
    kept = folder / "receipts" / f"{receipt_id.removeprefix('sha256:')}.receipt.json"
    assert kept.exists()


def test_posting_document_runs(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)

    def said(line: str, *, code: int = 0) -> str:
        capsys.readouterr()
        assert command(line.split()[1:]) == code, line
        return capsys.readouterr().out

    said(
        "veridical run model.vprog --input question.npz --output answer.npz "
        "--receipt answer.receipt.json"
    )
    (name,) = np.load("answer.npz").files
    template = f"veridical-template/v1\ntext\nThe model says {{number {name} 0,0 3}} today.\n"
    Path("report.template").write_text(template, encoding="utf-8")
    attach, attach_part = lines("docs/posts.md", "attach")
    check, check_part = lines("docs/posts.md", "check-post")
    said(attach)
    assert "the whole text" in said(check)
    whole = Post.load("report.post.json").text.decode()
    Path("posted.txt").write_text(whole.removesuffix(" today."), encoding="utf-8")
    said(attach_part)
    assert "an unchanged piece" in said(check_part)
    # What the reader found was edited.
    number = re.search(r"-?[0-9]+\.[0-9]{3}", whole)
    assert number is not None
    Path("posted.txt").write_text(f"The model says 9{number[0]}", encoding="utf-8")
    assert "\n+ 9" in said(check_part, code=1)
    assert json.loads(said(f"{check_part} --json", code=1))["relation"] == "edited"
    (code,) = blocks((ROOT / "docs" / "posts.md").read_text(encoding="utf-8"), "python")
    names = executed(code, folder, 8080, {})
    assert names["checked"].relation is Relation.EXACT
    assert names["checked"].text == whole
    # And without a template nothing is accepted.
    said(check.replace("--template report.template", ""), code=3)
