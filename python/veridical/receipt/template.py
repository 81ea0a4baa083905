"""Receipts of one program by one signer, many a second: what does not change is encoded once.

Spec: spec/v1/receipt.md, sections 4 to 6. `issue` is the way to make a receipt; this gives the same
bytes, from fragments that the same encoder made, for a gateway that issues hundreds a second.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from veridical.commitment import SALT_BYTES, Commitment, sha256_digest, tensors_to_bytes
from veridical.errors import InputError
from veridical.receipt import canonical
from veridical.receipt.bundle import Receipt, Reveal
from veridical.receipt.canonical import encode_base64
from veridical.receipt.envelope import Envelope, Predicate, pre_authentication_encoding
from veridical.receipt.issuing import as_int32
from veridical.receipt.statement import (
    STATEMENT_TAG,
    InputCommitments,
    ModelIdentity,
    OutputCommitments,
    Parameters,
    Seed,
    Sequence,
    Statement,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from veridical.keys import Signer
    from veridical.receipt.canonical import Value
    from veridical.receipt.evidence import EvidenceBlob
    from veridical.receipt.program import Program, Run

__all__ = ["Issued", "ReceiptTemplate"]

_MAX_NONCE: Final = 256
_TIER: Final = "reexecution"
_ATTESTED_TIER: Final = "tee"
_PLACES: Final[dict[str, dict[str, str]]] = {
    "input": dict.fromkeys(("forwarded", "integers", "received"), "text") | {"saturated": "number"},
    "output": {"count": "number", "decoded": "text", "integers": "text"},
    "seed": {"mode": "text", "proof": "text"},
    "sequence": {"intent": "text", "number": "number", "previous": "text", "stream": "text"},
}


@dataclass(frozen=True, slots=True)
class Issued:
    """A receipt as it is handed out."""

    receipt_id: str
    bundle: bytes


class _Template:
    """Canonical bytes of a value that is the same each time but for some of its leaves."""

    def __init__(
        self, value: Mapping[str, Value], holes: Iterable[tuple[tuple[Any, ...], str]]
    ) -> None:
        """Take a value, and the leaves that change: their path, and `text`, `number` or `json`."""
        filled: Any = _copied(value)
        names: list[tuple[str, str]] = []
        for path, kind in holes:
            *parents, last = path
            node = filled
            for step in parents:
                node = node[step]
            name = ".".join(map(str, path))
            node[last] = f"<<{name}>>"
            names.append((name, kind))
        text = canonical.encode(filled).decode("ascii").replace("%", "%%")
        for name, kind in names:
            form = f'"%({name})s"' if kind == "text" else f"%({name})s"
            text = text.replace(f'"<<{name}>>"', form)
        self._form = text

    def fill(self, leaves: Mapping[str, str | int]) -> bytes:
        """Return the bytes for these leaves; a text MUST have a canonical form."""
        return (self._form % leaves).encode("ascii")


class ReceiptTemplate:
    """Issues receipts for runs of one program, without sampling.

    They are of tier `reexecution`, or of tier `tee` if hardware vouches for the signer's key.
    """

    def __init__(
        self,
        program: Program,
        signer: Signer,
        *,
        attested: EvidenceBlob | None = None,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """Encode what all receipts have in common.

        `attested` is evidence of hardware about the signer's key, the same for all receipts.

        Raises:
            InputError: the program has an alias that the format does not allow.
        """
        self._signer = signer
        self._random_bytes = random_bytes
        nothing = Commitment(bytes(32), is_salted=False)
        sample = Statement(
            request_id="",
            model=ModelIdentity(
                digest="sha256:" + program.digest.hex(),
                aliases=tuple(sorted(program.aliases.items())),
            ),
            input=InputCommitments(
                received=nothing, forwarded=nothing, integers=nothing, saturated=0
            ),
            output=OutputCommitments(integers=nothing, decoded=nothing, count=0),
            parameters=Parameters(),
        ).require_valid()
        holes = [
            ((group, name), kind)
            for group, members in _PLACES.items()
            for name, kind in members.items()
        ]
        self._statement = _Template(sample.to_value(), [(("request_id",), "text"), *holes])
        blobs = () if attested is None else (attested,)
        predicate = Predicate.about(
            sample,
            tier=_ATTESTED_TIER if blobs else _TIER,
            issued_at=0,
            evidence=tuple(blob.descriptor for blob in blobs),
        )
        self._payload = _Template(
            predicate.to_value(),
            [
                (("predicate", "issued_at"), "number"),
                (("predicate", "statement"), "text"),
                (("subject", 0, "digest", "sha256"), "text"),
            ],
        )
        envelope = Envelope(payload=b"", key_id=signer.public_key.key_id, signature=b"")
        self._bundle = _Template(
            Receipt(
                statement=sample,
                envelopes=(envelope,),
                evidence=tuple(blob.content for blob in blobs),
            ).to_value(),
            [
                (("envelopes", 0, "payload"), "text"),
                (("envelopes", 0, "signatures", 0, "sig"), "text"),
                (("reveals",), "json"),
                (("statement",), "json"),
            ],
        )

    def issue(
        self,
        run: Run,
        *,
        nonce: str = "",
        private: bool = False,
        client_salt: bytes | None = None,
        received: bytes | None = None,
        sequence: Sequence | None = None,
        seed: Seed | None = None,
        issued_at: int | None = None,
    ) -> Issued:
        """State what a run did, and sign it; see `veridical.issue`.

        `received` are the canonical bytes of the run's inputs, if they are at hand.

        Raises:
            InputError: a value that the format does not allow.
        """
        if len(nonce) > _MAX_NONCE or not canonical.is_text(nonce):
            raise InputError("a nonce is printable ASCII of at most 256 characters")
        place, stated = sequence or Sequence(), seed or Seed()
        outputs = {name: as_int32(array) for name, array in run.integer_outputs.items()}
        content = tensors_to_bytes(run.inputs) if received is None else received
        contents = {
            "input.received": content,
            "input.forwarded": content,
            "input.integers": tensors_to_bytes(_int32(run.encoded.tensors)),
            "output.integers": tensors_to_bytes(outputs),
            "output.decoded": tensors_to_bytes(run.outputs),
        }
        salts: dict[str, bytes] = {}
        for name in contents:
            salt = client_salt if name == "input.received" else None
            if salt is None and private:
                salt = self._random_bytes(SALT_BYTES)
            if salt is not None:
                salts[name] = salt
        commitments = {
            name: Commitment.commit(name, value, salt=salts.get(name))
            for name, value in contents.items()
        }
        statement = self._statement.fill(
            {
                **{name: str(commitment) for name, commitment in commitments.items()},
                "input.saturated": run.encoded.saturated,
                "output.count": sum(array.size for array in outputs.values()),
                "request_id": nonce,
                "seed.mode": stated.mode,
                "seed.proof": stated.proof,
                "sequence.intent": place.intent,
                "sequence.number": place.number,
                "sequence.previous": place.previous,
                "sequence.stream": place.stream,
            }
        )
        receipt_id = sha256_digest(STATEMENT_TAG, statement)
        payload = self._payload.fill(
            {
                "predicate.issued_at": int(time.time()) if issued_at is None else issued_at,
                "predicate.statement": receipt_id,
                "subject.0.digest.sha256": commitments["output.integers"].digest.hex(),
            }
        )
        signature = self._signer.sign(pre_authentication_encoding(payload))
        reveals: dict[str, Value] = {
            name: Reveal(salt=salt).to_value() for name, salt in salts.items()
        }
        bundle = self._bundle.fill(
            {
                "envelopes.0.payload": encode_base64(payload),
                "envelopes.0.signatures.0.sig": encode_base64(signature),
                "reveals": canonical.encode(reveals).decode("ascii") if reveals else "{}",
                "statement": statement.decode("ascii"),
            }
        )
        return Issued(receipt_id, bundle)


def _copied(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a value whose objects and lists may be changed."""
    if isinstance(value, dict):
        return {key: _copied(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_copied(member) for member in value]
    return value


def _int32(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name: as_int32(array) for name, array in tensors.items()}
