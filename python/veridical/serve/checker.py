"""A process that checks what workers hand in, so that no proof can hold the gateway up.

Spec: spec/v1/serve.md, section 6. It runs each question again, compares the run with the statement
and with what the proof says of it, and verifies the proof once, under the rules of a consumer. It
signs with a key of its own that nobody trusts; the gateway signs for what passed.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Final

import veridical.program
from veridical import keys, policy
from veridical.commitment import tensors_from_bytes, tensors_to_bytes
from veridical.errors import Error, InputError
from veridical.receipt import Receipt, upgrade
from veridical.verifier import verify
from veridical.zk import ProofEvidence, Zk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from veridical.program import Program, Run

__all__ = ["Checker", "CheckerLostError", "Findings", "Suspect", "main"]

#: How long one proof may be checked; the largest proof takes a tenth of a second.
CHECK_SECONDS: Final = 300.0
_NICENESS: Final = 5


class CheckerLostError(Exception):
    """The process died, or took too long: nothing is known about the proof."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A receipt that a proof is said to cover."""

    job_id: str
    receipt: bytes = field(repr=False)
    question: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What is wrong with a proof, and with each receipt; nothing where nothing is."""

    proof: str
    receipts: dict[str, str]


class Checker:
    """The gateway's end: starts the process when it is needed, and anew when it was lost."""

    def __init__(self, models: dict[str, str], *, seconds: float = CHECK_SECONDS) -> None:
        self._models = models
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    def check(
        self, *, model: str, tier: str, evidence: bytes, suspects: Sequence[Suspect]
    ) -> Findings:
        """Have a proof checked for the receipts that it covers.

        Raises:
            CheckerLostError: the process died of it, or did not answer in time.
        """
        order = {"model": model, "tier": tier, "jobs": [one.job_id for one in suspects]}
        try:
            connection = self._open()
            connection.send_bytes(json.dumps(order).encode())
            connection.send_bytes(evidence)
            for one in suspects:
                connection.send_bytes(one.receipt)
                connection.send_bytes(one.question)
            is_there = connection.poll(self._seconds)
            found = json.loads(connection.recv_bytes()) if is_there else None
        except (OSError, EOFError) as error:
            self.close()
            raise CheckerLostError("the process that checks proofs ended") from error
        if found is None:
            self.close()
            raise CheckerLostError(f"not checked within {self._seconds:g} s")
        return Findings(proof=found["proof"], receipts=found["receipts"])

    def pid(self) -> int | None:
        """Return the id of the process, if there is one."""
        return None if self._process is None else self._process.pid

    def interrupt(self) -> None:
        """End a check that another thread waits for: it is lost."""
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """End the process; no other thread may be checking."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _open(self) -> Connection:
        if self._connection is not None:
            return self._connection
        ours, theirs = socket.socketpair()
        with theirs:
            command = [
                sys.executable,
                "-c",
                f"from veridical.serve.checker import main; main({theirs.fileno()})",
            ]
            self._process = subprocess.Popen(  # noqa: S603 - our own
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
            )
        self._connection = Connection(ours.detach())
        self._connection.send_bytes(json.dumps(self._models).encode())
        return self._connection


def main(descriptor: int) -> None:
    """Check what comes, until the other end is closed."""
    os.nice(_NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's is for the gateway, which ends us
    signer = keys.generate()
    connection = Connection(descriptor)
    try:
        models = json.loads(connection.recv_bytes())
        programs: dict[str, Program] = {}
        while True:
            order = json.loads(connection.recv_bytes())
            evidence = connection.recv_bytes()
            suspects = [
                Suspect(
                    job_id=job_id,
                    receipt=connection.recv_bytes(),
                    question=connection.recv_bytes(),
                )
                for job_id in order["jobs"]
            ]
            model = order["model"]
            if model not in programs:
                programs[model] = veridical.program.load(models[model])
            found = _check(programs[model], order["tier"], evidence, suspects, signer)
            answer = {"proof": found.proof, "receipts": found.receipts}
            connection.send_bytes(json.dumps(answer).encode())
    except (EOFError, OSError):  # the gateway is gone
        return


def _check(
    program: Program,
    tier: str,
    evidence: bytes,
    suspects: Sequence[Suspect],
    signer: keys.PrivateKey,
) -> Findings:
    try:
        proof = ProofEvidence.from_bytes(evidence)
    except Error as error:
        return Findings(proof=str(error), receipts={})
    receipts: dict[str, str] = {}
    is_verified = False
    for one in suspects:
        receipts[one.job_id] = ""
        try:
            receipt = Receipt.from_bytes(one.receipt)
            run = veridical.program.run(program, tensors_from_bytes(one.question))
            _require_covers(proof, receipt, run)
            upgraded = upgrade(receipt, run, signer=signer, evidence=Zk(proof=proof))
        except Exception as error:  # noqa: BLE001 - one receipt is at fault, not the others
            receipts[one.job_id] = _shown(error)
            continue
        if is_verified:
            continue
        try:  # one proof: it holds for all of its runs, or for none
            _require_verifies(upgraded, run, tier, signer)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing is shown
            return Findings(proof=_shown(error), receipts={})
        is_verified = True
    return Findings(proof="", receipts=receipts)


def _require_covers(proof: ProofEvidence, receipt: Receipt, run: Run) -> None:
    """Compare what a proof says about a receipt with the run: it is proven as it stands there."""
    digest = bytes.fromhex(receipt.receipt_id.removeprefix("sha256:"))
    members = [member for member in proof.members if member.statement == digest]
    if not members:
        raise InputError("the proof does not cover this receipt's statement")
    inputs, outputs = tensors_to_bytes(run.encoded.tensors), tensors_to_bytes(run.integer_outputs)
    for member in members:
        # A proof of one run may leave its input to the verifier.
        if member.outputs != outputs or (member.inputs or inputs) != inputs:
            raise InputError("the proof is about another run than the receipt")


def _require_verifies(receipt: Receipt, run: Run, tier: str, signer: keys.PrivateKey) -> None:
    verify(
        receipt,
        policy.AllOf(policy.TrustedSigners(signer.public_key), policy.RequireTier(tier)),
        now=time.time(),
        input=run.inputs,
        output=run.outputs,
        program=run.program,
    )


def _shown(error: Exception) -> str:
    return str(error) if isinstance(error, Error) else f"{type(error).__name__}: {error}"
