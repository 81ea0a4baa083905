"""Every error of the package.

::

    Error                             base of every error raised on purpose
    ├── InputError                    the caller's mistake: a path, a shape, a dtype, a value
    │   ├── CompileError                the model cannot become an integer program
    │   │   └── UnsupportedOpError        one node has no integer form; names node, op and reason
    │   ├── KeyFormatError              a key file is not a key this package accepts
    │   │   ├── UnsupportedKeyError       neither Ed25519 nor P-256
    │   │   ├── NonCanonicalKeyError      a second encoding of a key
    │   │   ├── PointNotOnCurveError      no point of the curve
    │   │   └── SmallOrderKeyError        outside the prime-order subgroup
    │   ├── PolicyFormatError           a policy is empty, or its file breaks the format
    │   └── AttesterError               this machine makes no quotes of its hardware
    ├── ProgramError                  a program file breaks the format or a loader condition
    ├── VerificationError             the receipt is not acceptable
    │   ├── MalformedError              bytes do not parse, are oversize, or are not canonical
    │   │   ├── OversizeError             larger than the limit; not read
    │   │   ├── NestingError              nested deeper than the limit
    │   │   ├── DuplicateKeyError         one object has a key twice
    │   │   ├── NonCanonicalError         a second encoding of the same value
    │   │   ├── TrailingBytesError        bytes after the end
    │   │   └── FieldError                a member is missing, unknown or out of range
    │   ├── SignatureError              no valid signature of the signer that was named
    │   ├── StatementMismatchError      input, model or output differ from what was asked
    │   ├── EvidenceError               the evidence does not support the statement
    │   │   ├── ProofError                a proof does not show what the statement says
    │   │   ├── QuoteError                a quote is not genuine, or not about this statement
    │   │   ├── ReexecutionError          running the program again gives something else
    │   │   └── SeedError                 the seed is not the one that key and question give
    │   ├── LogError                    a transparency log, or what it shows, does not hold
    │   │   ├── CheckpointError           a checkpoint is not signed by who should have signed it
    │   │   ├── InclusionError            an entry is not in the tree
    │   │   └── ConsistencyError          a log was forked, or rolled back
    │   ├── PostError                   a published text is not the one that the output gives
    │   └── PolicyError                 the evidence is sound; the policy asks for more
    ├── GatewayError                  a gateway refused, or did not answer
    │   └── ProofUnavailableError       there will be no proof; what was verified stands
    ├── UndecidedError                cannot be checked now; never means accepted
    │   ├── CollateralError             what a quote is judged by is missing or out of date
    │   ├── ProgramMissingError         the check needs the program, which was not given
    │   ├── RevealMissingError          the check needs bytes or a salt, which were not given
    │   └── TemplateMissingError        nobody said which template of a text is accepted
    └── InternalError                 a defect of this package

A rejection is raised, never returned, so that ignoring it is impossible. Every error says what
failed (the message), where (``where``) and what to do (``advice``); ``diagnostics()`` joins them.
The Rust extension raises these same classes: there is one hierarchy.
"""

from __future__ import annotations

__all__ = [
    "AttesterError",
    "CheckpointError",
    "CollateralError",
    "CompileError",
    "ConsistencyError",
    "DuplicateKeyError",
    "Error",
    "EvidenceError",
    "FieldError",
    "GatewayError",
    "InclusionError",
    "InputError",
    "InternalError",
    "KeyFormatError",
    "LogError",
    "MalformedError",
    "NestingError",
    "NonCanonicalError",
    "NonCanonicalKeyError",
    "OversizeError",
    "PointNotOnCurveError",
    "PolicyError",
    "PolicyFormatError",
    "PostError",
    "ProgramError",
    "ProgramMissingError",
    "ProofError",
    "ProofUnavailableError",
    "QuoteError",
    "ReexecutionError",
    "RevealMissingError",
    "SeedError",
    "SignatureError",
    "SmallOrderKeyError",
    "StatementMismatchError",
    "TemplateMissingError",
    "TrailingBytesError",
    "UndecidedError",
    "UnsupportedKeyError",
    "UnsupportedOpError",
    "VerificationError",
]


class Error(Exception):
    """Base of every error that this package raises on purpose."""

    #: What a person can do, when the raiser has nothing more exact to say.
    default_advice: str = "See the message; nothing was accepted."

    def __init__(
        self,
        message: str,
        where: str | None = None,
        check: str | None = None,
        advice: str | None = None,
    ) -> None:
        """Keep the parts apart, so that a command can print them and a test can match them.

        ``message`` says what failed, with the expected and the actual value. ``where`` is a path, a
        node, a field or a byte offset. ``check`` is the stable name of the failed check. All are
        positional so that the Rust extension can build an error from a plain tuple.
        """
        super().__init__(message)
        self.message = message
        self.where = where
        self.advice = advice
        self.check = check

    def __str__(self) -> str:
        """Return one line: what failed and where."""
        return self.message if self.where is None else f"{self.message} (at {self.where})"

    def diagnostics(self) -> str:
        """Return what failed, where, and what to do, as text for a person."""
        lines = [f"{type(self).__name__}: {self.message}"]
        if self.check is not None:
            lines.append(f"check: {self.check}")
        if self.where is not None:
            lines.append(f"where: {self.where}")
        lines.append(f"advice: {self.advice or self.default_advice}")
        return "\n".join(_on_one_line(line) for line in lines)


def _on_one_line(text: str) -> str:
    """Escape what is not printable: names in a hostile file may hold commands for a terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class InputError(Error):
    """The caller passed something that cannot be used; nothing was run."""

    default_advice = "Correct the argument that is named and call again."


class CompileError(InputError):
    """The model cannot become an integer program."""

    default_advice = "Read which node or tensor is named; change the model or the compile options."


class UnsupportedOpError(CompileError):
    """An operator of the model has no integer form."""

    default_advice = (
        "Export the model without this operator, or write it with supported ones; "
        "docs/operators.md lists them."
    )

    def __init__(
        self,
        reason: str,
        node: str,
        op: str,
        advice: str | None = None,
    ) -> None:
        """Carry the name of the node and its operator, which also form ``where``."""
        super().__init__(reason, where=f"node {node!r}, op {op}", check="operator", advice=advice)
        self.args = (reason, node, op)  # what pickle and copy rebuild it from
        self.node = node
        self.op = op


class KeyFormatError(InputError):
    """A key file does not hold a key that this package accepts."""

    default_advice = "Make a key with `veridical key new`, or pass an Ed25519 or P-256 key in PEM."


class UnsupportedKeyError(KeyFormatError):
    """The key is of an algorithm that receipts do not use."""


class NonCanonicalKeyError(KeyFormatError):
    """The bytes are a second encoding of a key, which would give it a second key id."""

    default_advice = "Export the key again as PEM SubjectPublicKeyInfo with an uncompressed point."


class PointNotOnCurveError(KeyFormatError):
    """The bytes are not a point of the curve."""

    default_advice = "The file is damaged or hostile; get the key again from its owner."


class SmallOrderKeyError(KeyFormatError):
    """The key is outside the prime-order subgroup: signatures under it may fit many messages."""

    default_advice = "Such a key does not arise by accident; do not trust who gave it to you."


class PolicyFormatError(InputError):
    """A policy is empty, or its file breaks the format; nothing was verified."""

    default_advice = "Correct the policy; spec/v1/policy.md lists every rule."


class AttesterError(InputError):
    """This machine has no interface to quotes, or it did not answer as it has to."""

    default_advice = "Read what the interface says; nothing was issued without a quote."


class ProgramError(Error):
    """A program file breaks the format or a loader condition; it was not loaded."""

    default_advice = "Do not use this file; get it again from its publisher, or compile it again."


class VerificationError(Error):
    """The receipt is not acceptable. Every rejection is a subclass of this one."""

    default_advice = "Do not rely on this answer."


class MalformedError(VerificationError):
    """The bytes do not parse, are oversize, or are not in canonical form."""

    default_advice = "Do not rely on this answer; ask the issuer for the receipt again."


class OversizeError(MalformedError):
    """Larger than the limit; it was not read."""

    default_advice = "No receipt is that large; do not rely on this answer."


class NestingError(MalformedError):
    """Nested deeper than the limit."""


class DuplicateKeyError(MalformedError):
    """One object has the same key twice, so that two readers could disagree."""


class NonCanonicalError(MalformedError):
    """A second encoding of a value that has exactly one."""


class TrailingBytesError(MalformedError):
    """There are bytes after the end of the document."""


class FieldError(MalformedError):
    """A member is missing, unknown, of the wrong type, or out of range."""


class SignatureError(VerificationError):
    """No valid signature by a signer that the policy trusts."""

    default_advice = (
        "Compare the signer's public key with the one you pinned; "
        "do not pin a new one on the word of this receipt."
    )


class StatementMismatchError(VerificationError):
    """The statement speaks of another input, model or output than the caller's own."""

    default_advice = "The receipt is for another question, model or answer; do not rely on it."


class EvidenceError(VerificationError):
    """The evidence is broken, or does not support the statement."""

    default_advice = "Do not rely on this answer; keep the receipt, it may show its issuer's fault."


class ReexecutionError(EvidenceError):
    """Running the program again gives something else than the statement says."""

    default_advice = "Keep the receipt: with the program it shows that its signer was wrong."


class ProofError(EvidenceError):
    """The proof does not show what the statement says."""

    default_advice = "Do not use the answer. Ask for a new receipt, or run the program yourself."


class QuoteError(EvidenceError):
    """A quote of the hardware is malformed, not genuine, or not about this statement."""

    default_advice = "Do not use the answer; spec/v1/tee.md says what this check asks of a quote."


class LogError(VerificationError):
    """A transparency log is damaged, or does not show what it is said to show."""

    default_advice = "Keep the files as they are: they may show the fault of who holds the log key."


class CheckpointError(LogError):
    """A checkpoint is not signed by the log or the cosigners that were named."""

    default_advice = "Compare origin and keys with those you pinned; ask for a fresh log proof."


class InclusionError(LogError):
    """An entry is not in the tree of the checkpoint."""

    default_advice = "Do not rely on this answer; ask its issuer for the proof again."


class ConsistencyError(LogError):
    """Two checkpoints of one log cannot both be true: it was forked, or rolled back."""

    default_advice = "Keep both checkpoints and publish them: together they convict the log's key."


class SeedError(EvidenceError):
    """The seed is not the one output of the stated key for this question."""

    default_advice = "Do not rely on this answer; keep the receipt: it shows a chosen seed."


class PostError(VerificationError):
    """A published text is not the one that a template makes of a receipt's output."""

    default_advice = "Do not rely on this text; ask who published it for the unchanged one."


class PolicyError(VerificationError):
    """The receipt is sound, and the policy asks for more."""

    default_advice = "Ask the issuer for the stronger evidence that the policy names."


class GatewayError(Error):
    """The gateway answered with an error, or not at all; nothing was accepted."""

    default_advice = "Read what the gateway says; nothing was accepted."

    def __init__(
        self,
        message: str,
        where: str | None = None,
        check: str | None = "gateway",
        advice: str | None = None,
        *,
        status: int = 0,
        name: str = "",
        retry_after: int | None = None,
    ) -> None:
        """Carry the HTTP status, 0 for no answer, and the gateway's own name for the error."""
        super().__init__(message, where, check, advice)
        self.status = status
        self.name = name
        self.retry_after = retry_after


class ProofUnavailableError(GatewayError):
    """A proof was asked for, and there will be none; what was verified before stands."""

    default_advice = "Ask again with `upgrade`, or accept the evidence that there is."


class UndecidedError(Error):
    """A check that the policy asks for cannot be made now. This never means accepted."""

    default_advice = "Supply what is missing and verify again; until then nothing is accepted."


class CollateralError(UndecidedError):
    """What a quote is judged by is missing or out of date, or no trusted time was given."""

    default_advice = "Add current collateral (`veridical tee collateral add`) and a trusted time."


class ProgramMissingError(UndecidedError):
    """A check runs the program again, and the program was not given."""

    default_advice = "Pass the program file whose digest the statement names (`--program M.vprog`)."


class RevealMissingError(UndecidedError):
    """A commitment must be opened, and the bytes or the salt were not given."""

    default_advice = "Ask the issuer for the reveal of this field, or pass the value yourself."


class TemplateMissingError(UndecidedError):
    """A text is checked against a template, and nobody said which one is accepted."""

    default_advice = "Read the template; if you accept its words, pass it or its digest."


class InternalError(Error):
    """A defect of this package. What it was asked to check is not accepted."""

    default_advice = "Please report this with the message; docs/index.md says where."
