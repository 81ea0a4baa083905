"""Issuing: from a run to a signed receipt, and from a receipt to one with stronger evidence.

Spec: spec/v1/receipt.md, sections 3 to 7.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from veridical.commitment import SALT_BYTES, Commitment, tensors_to_bytes
from veridical.errors import FieldError, InputError
from veridical.receipt.bundle import RECEIPT_MAX_BYTES, Receipt, Reveal
from veridical.receipt.envelope import Envelope, Predicate
from veridical.receipt.evidence import Evidence, Reexecution
from veridical.receipt.statement import (
    InputCommitments,
    ModelIdentity,
    OutputCommitments,
    Parameters,
    Seed,
    Sequence,
    Statement,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from veridical.keys import Signer
    from veridical.receipt.program import Run

__all__ = ["as_int32", "issue", "upgrade"]


@dataclass(slots=True)
class _Committer:
    """Commits to one field after another and keeps what opens them."""

    is_private: bool
    random_bytes: Callable[[int], bytes]
    reveals: dict[str, Reveal] = field(default_factory=dict)

    def commit(
        self,
        name: str,
        tensors: Mapping[str, NDArray[Any]],
        *,
        reveal: bool = False,
        salt: bytes | None = None,
    ) -> Commitment:
        """Commit to named tensors; salted if the input is private, or with a salt that is given."""
        content = tensors_to_bytes(tensors)
        if salt is None and self.is_private:
            salt = self.random_bytes(SALT_BYTES)
        if reveal or salt is not None:
            self.reveals[name] = Reveal(content if reveal else b"", salt or b"")
        return Commitment.commit(name, content, salt=salt)


def issue(  # noqa: PLR0913 - one keyword for each choice of an issuer
    run: Run,
    *,
    signer: Signer,
    evidence: Evidence | None = None,
    nonce: str = "",
    private: bool = False,
    reveal: bool = False,
    issued_at: int | None = None,
    sequence: Sequence | None = None,
    seed: Seed | None = None,
    parameters: Parameters | None = None,
    client_salt: bytes | None = None,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> Receipt:
    """State what a run did, sign it, and return the receipt.

    `nonce` is the client's request id. `private` salts every commitment; the salts are in the
    receipt's reveals, for the client alone: publish `receipt.without_reveals()`. `reveal` puts the
    input into the receipt, so that whoever holds it and the program can verify it. `issued_at` is
    the present second unless it is given. `sequence` is where the run stands in a log.
    `seed` and `parameters` are stated as they are: `veridical.seeds` makes them, and the run that
    holds what they give. `client_salt` is the client's salt of the received input.

    Raises:
        InputError: a value that the format does not allow.
    """
    if seed is not None and private and client_salt is None:
        raise InputError(
            "a seed depends on the commitment to the input, so its salt is the client's",
            advice="Pass the salt that the client sent as `client_salt`.",
        )
    committer = _Committer(private, random_bytes)
    integers = {name: as_int32(array) for name, array in run.encoded.tensors.items()}
    outputs = {name: as_int32(array) for name, array in run.integer_outputs.items()}
    statement = Statement(
        request_id=nonce,
        model=ModelIdentity(
            digest="sha256:" + run.program.digest.hex(),
            aliases=tuple(sorted(run.program.aliases.items())),
        ),
        input=InputCommitments(
            received=committer.commit(
                "input.received", run.inputs, reveal=reveal, salt=client_salt
            ),
            # No template stands in between, so the program got what the client sent.
            forwarded=committer.commit("input.forwarded", run.inputs),
            integers=committer.commit("input.integers", integers),
            saturated=run.encoded.saturated,
        ),
        output=OutputCommitments(
            integers=committer.commit("output.integers", outputs),
            decoded=committer.commit("output.decoded", run.outputs),
            count=sum(array.size for array in outputs.values()),
        ),
        parameters=parameters or Parameters(),
        seed=seed or Seed(),
        sequence=sequence or Sequence(),
    ).require_valid()
    receipt = Receipt(statement=statement, reveals=committer.reveals)
    return _append(receipt, run, signer=signer, evidence=evidence, issued_at=issued_at)


def upgrade(
    receipt: Receipt,
    run: Run,
    *,
    signer: Signer,
    evidence: Evidence | None = None,
    issued_at: int | None = None,
) -> Receipt:
    """Append evidence and an envelope; statement and receipt id stay the same.

    Raises:
        InputError: the run is not the one that the receipt states.
    """
    _require_same_run(receipt, run)
    return _append(receipt, run, signer=signer, evidence=evidence, issued_at=issued_at)


def _append(
    receipt: Receipt,
    run: Run,
    *,
    signer: Signer,
    evidence: Evidence | None,
    issued_at: int | None,
) -> Receipt:
    evidence = evidence or Reexecution()
    blobs = evidence.make(run, receipt.statement)
    predicate = Predicate.about(
        receipt.statement,
        tier=evidence.tier,
        issued_at=int(time.time()) if issued_at is None else issued_at,
        evidence=tuple(blob.descriptor for blob in blobs),
    ).require_valid()
    new = tuple(blob.content for blob in blobs if blob.content not in receipt.evidence)
    try:
        signed = replace(
            receipt,
            envelopes=(*receipt.envelopes, Envelope.sign(predicate, signer)),
            evidence=(*receipt.evidence, *new),
        )
    except FieldError as error:  # one envelope or blob too many, or one that is there already
        raise InputError(error.message, where=error.where) from error
    size = len(signed.to_bytes())
    if size > RECEIPT_MAX_BYTES:
        raise InputError(
            f"the receipt has {size} bytes, and verifiers take {RECEIPT_MAX_BYTES}",
            advice="Do not reveal an input of this size in the receipt; hand it over beside it.",
        )
    return signed


def _require_same_run(receipt: Receipt, run: Run) -> None:
    statement = receipt.statement
    if statement.model.digest != "sha256:" + run.program.digest.hex():
        raise InputError("the run is of another program than the receipt", where="model.digest")
    values: dict[str, Mapping[str, NDArray[Any]]] = {
        "input.received": run.inputs,
        "input.forwarded": run.inputs,
        "input.integers": run.encoded.tensors,
        "output.integers": run.integer_outputs,
        "output.decoded": run.outputs,
    }
    for name, commitment in statement.commitments().items():
        salt = receipt.reveals.get(name, Reveal()).salt
        if commitment.is_salted and not salt:
            raise InputError(
                "the commitment is salted and the receipt does not carry its salt", where=name
            )
        if not commitment.opens_to(name, tensors_to_bytes(values[name]), salt=salt or None):
            raise InputError("the run differs from what the receipt states", where=name)


def as_int32(array: NDArray[Any]) -> NDArray[np.int32]:
    """Return an array of a program's integers.

    Raises:
        InputError: it is of another dtype.
    """
    if array.dtype != np.int32:
        raise InputError(f"a program's integers are int32, not {array.dtype}")
    return array
