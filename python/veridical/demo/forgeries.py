"""Nine ways to cheat, each as a receipt that a verifier is asked to accept.

A forgery returns what the consumer is handed; everything else (policy, own question, program) stays
the consumer's. What each one shows is that a *named* check stops it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from veridical import keys
from veridical.commitment import tensors_to_bytes
from veridical.program import Program, Run, run
from veridical.receipt import Receipt, issue
from veridical.receipt.evidence import EvidenceBlob
from veridical.zk import PROOF_TYPE, ProofEvidence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from veridical.keys import PrivateKey
    from veridical.receipt.program import Run as AnyRun
    from veridical.receipt.statement import Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One honest inference, and what a cheat has at hand."""

    program: Program
    cheaper: Program
    """The same model at 8 bits: what a provider saves money with."""
    run: Run
    other_question: dict[str, NDArray[Any]]
    receipt: Receipt
    old_receipt: Receipt
    """An honest receipt for the same question under an earlier nonce."""
    signer: PrivateKey
    nonce: str
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """What the consumer receives: a receipt, and an answer."""

    receipt: Receipt | bytes
    output: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgery:
    """A named way to cheat."""

    name: str
    story: str
    forge: Callable[[Case], Handed]


@dataclass(frozen=True, slots=True)
class _Claimed:
    """A run that claims to be of another program, or to have had another input or output."""

    program: Any
    inputs: Any
    encoded: Any
    integer_outputs: Any
    outputs: Any
    trace: Any


def _claim(actual: Run, **changes: Any) -> _Claimed:  # noqa: ANN401 - any field of a run
    fields = {name: getattr(actual, name) for name in _Claimed.__slots__}
    return _Claimed(**{**fields, **changes})


def _nudged(case: Case) -> tuple[dict[str, NDArray[np.int32]], dict[str, NDArray[np.float64]]]:
    """Return the answer with its two largest elements exchanged, as integers and decoded."""
    integers = {}
    for name, array in case.run.integer_outputs.items():
        changed = array.copy()
        row = changed.reshape(-1)
        first, second = np.argsort(row)[[-1, -2]]
        row[[first, second]] = row[[second, first]]
        integers[name] = changed
    return integers, case.program.decode(integers)


def edited_answer(case: Case) -> Handed:
    """The receipt is honest, the answer beside it is not."""
    return Handed(receipt=case.receipt, output=_nudged(case)[1])


def altered_question(case: Case) -> Handed:
    """The model answered another question, and said so."""
    other = run(case.program, case.other_question)
    receipt = issue(other, signer=case.signer, nonce=case.nonce, issued_at=case.now)
    return Handed(receipt=receipt, output=other.outputs)


def cheaper_model_named_openly(case: Case) -> Handed:
    """A cheaper model answered under its own digest."""
    cheap = run(case.cheaper, case.run.inputs)
    receipt = issue(cheap, signer=case.signer, nonce=case.nonce, issued_at=case.now)
    return Handed(receipt=receipt, output=cheap.outputs)


def cheaper_model_under_false_name(case: Case) -> Handed:
    """A cheaper model answered, the statement names the promised one."""
    cheap = run(case.cheaper, case.run.inputs)
    claimed = _claim(
        case.run,
        integer_outputs=_fit(cheap.integer_outputs),
        outputs=case.program.decode(_fit(cheap.integer_outputs)),
    )
    receipt = issue(claimed, signer=case.signer, nonce=case.nonce, issued_at=case.now)
    return Handed(receipt=receipt, output=claimed.outputs)


def _fit(integers: Any) -> dict[str, NDArray[np.int32]]:  # noqa: ANN401 - mapping of arrays
    return {name: np.asarray(array, np.int32) for name, array in integers.items()}


def signed_lie(case: Case) -> Handed:
    """The provider itself signs an answer that the program did not give."""
    integers, outputs = _nudged(case)
    claimed = _claim(case.run, integer_outputs=integers, outputs=outputs)
    receipt = issue(claimed, signer=case.signer, nonce=case.nonce, issued_at=case.now)
    return Handed(receipt=receipt, output=outputs)


@dataclass(frozen=True, slots=True)
class _Borrowed:
    """A proof of the true answer, relabelled for a false one."""

    proof: ProofEvidence

    @property
    def tier(self) -> str:
        return "zk"

    def make(self, run: AnyRun, statement: Statement) -> tuple[EvidenceBlob, ...]:
        (member,) = self.proof.members
        relabelled = replace(
            member,
            statement=bytes.fromhex(statement.receipt_id.removeprefix("sha256:")),
            outputs=tensors_to_bytes(run.integer_outputs),
        )
        proof = replace(self.proof, members=(relabelled,))
        return (EvidenceBlob(PROOF_TYPE, proof.to_bytes()),)


def signed_lie_with_a_proof(case: Case, proof: ProofEvidence) -> Handed:
    """The provider signs a false answer and attaches the proof of the true one, relabelled."""
    integers, outputs = _nudged(case)
    claimed = _claim(case.run, integer_outputs=integers, outputs=outputs)
    receipt = issue(
        claimed,
        signer=case.signer,
        nonce=case.nonce,
        issued_at=case.now,
        evidence=_Borrowed(proof),
    )
    return Handed(receipt=receipt, output=outputs)


def edited_statement(case: Case) -> Handed:
    """Someone rewrites the statement of a signed receipt to fit a changed answer."""
    integers, outputs = _nudged(case)
    claimed = _claim(case.run, integer_outputs=integers, outputs=outputs)
    other = issue(claimed, signer=case.signer, nonce=case.nonce, issued_at=case.now)
    return Handed(receipt=replace(case.receipt, statement=other.statement), output=outputs)


def replayed_receipt(case: Case) -> Handed:
    """An honest receipt of an earlier request is handed out again."""
    return Handed(receipt=case.old_receipt, output=case.run.outputs)


def strangers_signature(case: Case) -> Handed:
    """An unknown party signs a true statement."""
    receipt = issue(case.run, signer=keys.generate(), nonce=case.nonce, issued_at=case.now)
    return Handed(receipt=receipt, output=case.run.outputs)


def stripped_envelope(case: Case) -> Handed:
    """The signature and its tier are removed."""
    return Handed(receipt=replace(case.receipt, envelopes=()), output=case.run.outputs)


FORGERIES = (
    Forgery(
        name="edited answer",
        story="honest receipt, but the answer beside it was changed",
        forge=edited_answer,
    ),
    Forgery(
        name="altered question",
        story="the model was asked something else",
        forge=altered_question,
    ),
    Forgery(
        name="cheaper model",
        story="an 8-bit version answered under its own digest",
        forge=cheaper_model_named_openly,
    ),
    Forgery(
        name="cheaper model, false name",
        story="an 8-bit version answered, the statement names the promised model",
        forge=cheaper_model_under_false_name,
    ),
    Forgery(
        name="signed lie",
        story="the provider signs an answer that the program did not give",
        forge=signed_lie,
    ),
    Forgery(
        name="edited statement",
        story="the statement was rewritten after it was signed",
        forge=edited_statement,
    ),
    Forgery(
        name="replayed receipt",
        story="an honest receipt of an earlier request",
        forge=replayed_receipt,
    ),
    Forgery(
        name="stranger's signature",
        story="a true statement signed by an unknown key",
        forge=strangers_signature,
    ),
    Forgery(
        name="stripped envelope",
        story="signature and tier removed",
        forge=stripped_envelope,
    ),
)
