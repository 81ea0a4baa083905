"""The statement: what was asked, which program answered, what it answered.

Spec: spec/v1/receipt.md, section 4. It knows no tier, so stronger evidence can be made later over
the same bytes.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final, Self

from veridical.commitment import Commitment, sha256_digest
from veridical.errors import Error, FieldError, InputError
from veridical.receipt import canonical
from veridical.receipt.members import Members

if TYPE_CHECKING:
    from veridical.receipt.canonical import Value

__all__ = [
    "STATEMENT_MAX_BYTES",
    "STATEMENT_TAG",
    "InputCommitments",
    "ModelIdentity",
    "OutputCommitments",
    "Parameters",
    "Seed",
    "Sequence",
    "Statement",
]

STATEMENT_VERSION: Final = "veridical-statement/v1"
#: A statement holds digests, never data.
STATEMENT_MAX_BYTES: Final = 64 * 1024
MAX_ALIASES: Final = 16
MAX_DECODE_PARAMETERS: Final = 64
SEED_MODES: Final = ("none", "vrf", "vrf+beacon")
#: Characters of base64: key, proof, chain, number and signature of a round.
MAX_SEED_PROOF: Final = 512

STATEMENT_TAG: Final = "veridical.statement.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelIdentity:
    """The program's digest, and names that the signer gives it besides."""

    digest: str
    aliases: tuple[tuple[str, str], ...] = ()

    def to_value(self) -> dict[str, Value]:
        """Return the JSON form."""
        return {"aliases": dict(self.aliases), "digest": self.digest}

    @classmethod
    def from_value(cls, value: Value, *, where: str) -> Self:
        """Read the JSON form."""
        members = Members(value, ("aliases", "digest"), where=where)
        aliases = []
        for key, alias in members.mapping("aliases", max_items=MAX_ALIASES).items():
            if not isinstance(alias, str) or ":" not in alias or len(alias) > 256:  # noqa: PLR2004
                raise members.refuse("aliases", f"alias {key!r} is not a digest 'algorithm:hex'")
            aliases.append((key, alias))
        return cls(digest=members.digest("digest"), aliases=tuple(aliases))


@dataclass(frozen=True, slots=True, kw_only=True)
class InputCommitments:
    """Commitments to the input at three stages, and how many elements were clamped."""

    received: Commitment
    forwarded: Commitment
    integers: Commitment
    saturated: int

    def to_value(self) -> dict[str, Value]:
        """Return the JSON form."""
        return {
            "forwarded": str(self.forwarded),
            "integers": str(self.integers),
            "received": str(self.received),
            "saturated": self.saturated,
        }

    @classmethod
    def from_value(cls, value: Value, *, where: str) -> Self:
        """Read the JSON form."""
        names = ("forwarded", "integers", "received", "saturated")
        members = Members(value, names, where=where)
        return cls(
            received=_commitment(members, "received"),
            forwarded=_commitment(members, "forwarded"),
            integers=_commitment(members, "integers"),
            saturated=members.count("saturated"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputCommitments:
    """Commitments to the integer output and to its real values."""

    integers: Commitment
    decoded: Commitment
    count: int
    finish: str = "complete"

    def to_value(self) -> dict[str, Value]:
        """Return the JSON form."""
        return {
            "count": self.count,
            "decoded": str(self.decoded),
            "finish": self.finish,
            "integers": str(self.integers),
        }

    @classmethod
    def from_value(cls, value: Value, *, where: str) -> Self:
        """Read the JSON form."""
        members = Members(value, ("count", "decoded", "finish", "integers"), where=where)
        return cls(
            integers=_commitment(members, "integers"),
            decoded=_commitment(members, "decoded"),
            count=members.count("count"),
            finish=members.literal("finish", "complete"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """What besides the input decides the output. All of it is empty for a plain program."""

    decode: tuple[tuple[str, str | int], ...] = ()
    template: str = ""
    tokenizer: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether the received input goes to the program as it is."""
        return self == Parameters()

    def to_value(self) -> dict[str, Value]:
        """Return the JSON form."""
        return {
            "decode": dict(self.decode),
            "template": self.template,
            "tokenizer": self.tokenizer,
        }

    @classmethod
    def from_value(cls, value: Value, *, where: str) -> Self:
        """Read the JSON form."""
        members = Members(value, ("decode", "template", "tokenizer"), where=where)
        decode: list[tuple[str, str | int]] = []
        for key, item in members.mapping("decode", max_items=MAX_DECODE_PARAMETERS).items():
            if not isinstance(item, str | int):
                raise members.refuse("decode", f"parameter {key!r} is not a string or an integer")
            decode.append((key, item))
        return cls(
            decode=tuple(decode),
            template=members.digest("template", is_optional=True),
            tokenizer=members.digest("tokenizer", is_optional=True),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """How the seed came about, and what shows it; spec/v1/seeds.md."""

    mode: str = "none"
    proof: str = ""

    def to_value(self) -> dict[str, Value]:
        """Return the JSON form."""
        return {"mode": self.mode, "proof": self.proof}

    @classmethod
    def from_value(cls, value: Value, *, where: str) -> Self:
        """Read the JSON form; what the proof shows is left to the verifier."""
        members = Members(value, ("mode", "proof"), where=where)
        seed = cls(
            mode=members.text("mode"), proof=members.text("proof", max_length=MAX_SEED_PROOF)
        )
        if seed.mode not in SEED_MODES:
            raise members.refuse("mode", f"no mode of a seed: {seed.mode[:40]!r}")
        if (seed.mode == "none") != (seed.proof == ""):
            raise members.refuse("proof", "a proof is empty if and only if the mode is 'none'")
        try:
            content = base64.b64decode(seed.proof, validate=True)
        except binascii.Error as error:
            raise members.refuse("proof", "not base64") from error
        if base64.b64encode(content).decode("ascii") != seed.proof:
            raise members.refuse("proof", "not canonical base64")
        return seed


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """Where the inference stands in the provider's numbering; empty if there is none."""

    stream: str = ""
    number: int = 0
    previous: str = ""
    intent: str = ""

    def to_value(self) -> dict[str, Value]:
        """Return the JSON form."""
        return {
            "intent": self.intent,
            "number": self.number,
            "previous": self.previous,
            "stream": self.stream,
        }

    @classmethod
    def from_value(cls, value: Value, *, where: str) -> Self:
        """Read the JSON form; each meaning has one."""
        members = Members(value, ("intent", "number", "previous", "stream"), where=where)
        sequence = cls(
            stream=members.text("stream"),
            number=members.count("number"),
            previous=members.digest("previous", is_optional=True),
            intent=members.digest("intent", is_optional=True),
        )
        if not sequence.stream and sequence != cls():
            raise members.refuse("stream", "a number, previous or intent needs a stream")
        if (sequence.number == 0) != (sequence.previous == ""):
            raise members.refuse("previous", "previous is empty if and only if number is 0")
        return sequence


@dataclass(frozen=True, kw_only=True)  # no slots: its bytes are made once and kept
class Statement:
    """The tier-free core of a receipt. Read it from `Verified`, never from an unchecked receipt."""

    request_id: str
    model: ModelIdentity
    input: InputCommitments
    output: OutputCommitments
    parameters: Parameters = field(default_factory=Parameters)
    seed: Seed = field(default_factory=Seed)
    sequence: Sequence = field(default_factory=Sequence)

    @cached_property
    def receipt_id(self) -> str:
        """Return the digest that names the receipt; evidence is made over it."""
        return sha256_digest(STATEMENT_TAG, self.to_bytes())

    @cached_property
    def _encoded(self) -> bytes:
        return canonical.encode(self.to_value())

    def commitments(self) -> dict[str, Commitment]:
        """Return every commitment under the name of its field."""
        return {
            "input.received": self.input.received,
            "input.forwarded": self.input.forwarded,
            "input.integers": self.input.integers,
            "output.integers": self.output.integers,
            "output.decoded": self.output.decoded,
        }

    def to_value(self) -> dict[str, Value]:
        """Return the JSON form."""
        return {
            "input": self.input.to_value(),
            "model": self.model.to_value(),
            "output": self.output.to_value(),
            "parameters": self.parameters.to_value(),
            "request_id": self.request_id,
            "seed": self.seed.to_value(),
            "sequence": self.sequence.to_value(),
            "version": STATEMENT_VERSION,
        }

    def to_bytes(self) -> bytes:
        """Return the canonical bytes."""
        return self._encoded

    @classmethod
    def from_value(cls, value: Value, *, where: str = "statement") -> Self:
        """Read the JSON form.

        Raises:
            FieldError: a member is missing, unknown, of the wrong type or out of range.
        """
        names = (
            "input",
            "model",
            "output",
            "parameters",
            "request_id",
            "seed",
            "sequence",
            "version",
        )
        members = Members(value, names, where=where)
        members.literal("version", STATEMENT_VERSION)
        statement = cls(
            request_id=members.text("request_id"),
            model=ModelIdentity.from_value(members["model"], where=members.where("model")),
            input=InputCommitments.from_value(members["input"], where=members.where("input")),
            output=OutputCommitments.from_value(members["output"], where=members.where("output")),
            parameters=Parameters.from_value(
                members["parameters"], where=members.where("parameters")
            ),
            seed=Seed.from_value(members["seed"], where=members.where("seed")),
            sequence=Sequence.from_value(members["sequence"], where=members.where("sequence")),
        )
        if len(statement.to_bytes()) > STATEMENT_MAX_BYTES:
            raise FieldError(f"more than {STATEMENT_MAX_BYTES} bytes", where=where, check="format")
        return statement

    def require_valid(self) -> Self:
        """Return this statement if a verifier would parse it.

        Raises:
            InputError: an issuer passed something that the format does not allow.
        """
        try:
            canonical.decode(self.to_bytes(), max_bytes=STATEMENT_MAX_BYTES, where="statement")
            Statement.from_value(self.to_value())
        except Error as error:
            raise InputError(error.message, where=error.where) from error
        return self


def _commitment(members: Members, name: str) -> Commitment:
    return Commitment.from_text(members.text(name), where=members.where(name))
