"""The three verifiers side by side: Python, Rust, and Rust compiled to WebAssembly.

A case is what a host hands to the module (spec/v1/page.md, section 1). Python's answer is made of
the objects that its commands print, the others answer for themselves.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import struct
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

import veridical
from tests.repository import PACKAGE, ROOT
from veridical.cli import post as post_command
from veridical.errors import Error, InputError
from veridical.policy import loads
from veridical.post import explain_post
from veridical.verifier import explain
from veridical.verifier.report import error_value

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

MODULE: Final = PACKAGE / "page" / "veridical.wasm"
HOST: Final = ROOT / "crates" / "wasm" / "tests" / "host.mjs"

Answer = dict[str, Any]
#: Verdict, and name and check of the error.
Verdict = tuple[str | None, str | None, str | None]


@dataclass(frozen=True, kw_only=True)
class ReceiptCase:
    """A receipt and what a reader holds."""

    receipt: bytes
    policy: str
    now: int
    input: bytes | None = None
    output: bytes | None = None
    program: bytes | None = None

    def parts(self) -> tuple[bytes, ...]:
        """Return the export of the module, and its arguments."""
        options = {
            "policy": self.policy,
            "now": self.now,
            "input": encoded(self.input),
            "output": encoded(self.output),
            "form": "explain",
        }
        return (
            b"veridical_verify_receipt",
            self.receipt,
            json.dumps(options).encode(),
            self.program or b"",
        )

    def python(self) -> Answer:
        """Return what the Python verifier says."""
        try:
            program = None if self.program is None else _program(self.program)
            return explain(
                self.receipt,
                loads(self.policy),
                now=self.now,
                input=self.input,
                output=self.output,
                program=program,
            ).to_value()
        except Error as error:
            return unusable(error)


@dataclass(frozen=True, kw_only=True)
class PostCase:
    """A post and what a reader holds."""

    post: bytes
    policy: str
    now: int
    template: str = ""
    text: bytes | None = None
    receipt: bytes | None = None
    program: bytes | None = None

    def parts(self) -> tuple[bytes, ...]:
        """Return the export of the module, and its arguments."""
        options: dict[str, object] = {
            "policy": self.policy,
            "now": self.now,
            "receipt": encoded(self.receipt),
            "program": encoded(self.program),
            "template_digest": self.template or None,
        }
        return (
            b"veridical_check_post",
            self.post,
            self.text or b"",
            json.dumps(options).encode(),
        )

    def python(self) -> Answer:
        """Return what the Python verifier says; how a text was edited is told for people only."""
        report = explain_post(
            self.post,
            loads(self.policy),
            now=self.now,
            template=self.template or None,
            text=self.text,
            receipt=self.receipt,
            program=None if self.program is None else _program(self.program),
        )
        value = post_command._value(report, post_command._difference(report))
        if value["hint"] == "normalisation":  # the module has no tables of Unicode
            value["hint"] = ""
        return {**value, "difference": None}


def encoded(content: bytes | None) -> str | None:
    """Return base64, or nothing."""
    return None if content is None else base64.b64encode(content).decode("ascii")


def unusable(error: Error) -> Answer:
    """Return what commands print for an argument that cannot be used."""
    return {"error": error_value(error), "verdict": None}


def verdict_of(answer: Answer) -> Verdict:
    """Return what has to agree."""
    error = answer["error"]
    if error is None:
        return answer["verdict"], None, None
    return answer["verdict"], error["name"], error["check"]


_PROGRAMS: Final[dict[bytes, veridical.Program]] = {}


def _program(content: bytes) -> veridical.Program:
    # Its commitments are made once.
    if content not in _PROGRAMS:
        _PROGRAMS[content] = veridical.Program.from_bytes(content)
    return _PROGRAMS[content]


@dataclass
class Judge:
    """A verifier in a process of its own, which answers case by case."""

    command: Sequence[str]
    process: subprocess.Popen[bytes] = field(init=False, repr=False)

    def __enter__(self) -> Self:
        """Start it."""
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let it end."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=30)

    def answer(self, case: ReceiptCase | PostCase) -> Answer:
        """Return its answer."""
        assert self.process.stdin is not None
        for part in case.parts():
            self.process.stdin.write(struct.pack("<I", len(part)) + part)
        self.process.stdin.flush()
        (length,) = struct.unpack("<I", self._read(4))
        answer: Answer = json.loads(self._read(length))
        return answer

    def _read(self, length: int) -> bytes:
        assert self.process.stdout is not None
        content = self.process.stdout.read(length)
        assert len(content) == length, f"{self.command[0]} ended"
        return content


def wasm() -> Judge:
    """Return the committed module in Node."""
    node = shutil.which("node")
    if node is None:
        raise InputError("there is no node to run the module in; install Node.js 20 or newer")
    return Judge((node, str(HOST), str(MODULE)))


def native() -> Judge:
    """Return the same crate, built for this machine."""
    command = ("cargo", "build", "--quiet", "--locked", "-p", "veridical-receipt")
    subprocess.run((*command, "--example", "judge"), cwd=ROOT, check=True)
    target = os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target"))
    return Judge((f"{target}/debug/examples/judge",))
