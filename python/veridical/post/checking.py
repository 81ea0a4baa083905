"""The checks of a post: the receipt under a policy, the template, the text.

Spec: spec/v1/post.md, sections 6 and 7. As for receipts there is no default: the caller says which
policy, and whose template.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from veridical.errors import (
    Error,
    InputError,
    MalformedError,
    PostError,
    TemplateMissingError,
    UndecidedError,
    VerificationError,
)
from veridical.policy import AllOf, ExpectOutput
from veridical.policy.facts import Result
from veridical.post.document import Post, require_text
from veridical.post.filling import Filled, fill
from veridical.post.template import Template, template_digest
from veridical.receipt import Receipt
from veridical.receipt.members import DIGEST
from veridical.verifier import explain

if TYPE_CHECKING:
    from veridical.policy.facts import Policy
    from veridical.receipt.program import Program
    from veridical.tee.context import TeeContext
    from veridical.verifier import Report, Verified
    from veridical.verifier.given import Value

__all__ = ["CheckedPost", "PostReport", "Relation", "check_post", "explain_post"]

PostSource: TypeAlias = Post | bytes | str | Path
#: A template that the caller accepts: itself, its bytes, or its digest.
TemplateSource: TypeAlias = Template | bytes | str


class Relation(Enum):
    """How a text stands to what the template makes of the output."""

    EXACT = "exact"
    EXCERPT = "excerpt"
    EDITED = "edited"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPost:
    """An accepted post: read text and statement from here, not from the post."""

    text: str
    relation: Relation
    #: The whole filled text, and which of its bytes are values of the output.
    filled: Filled
    excerpt: tuple[int, int]
    template_digest: str
    verified: Verified


@dataclass(frozen=True, slots=True, kw_only=True)
class PostReport:
    """What came of each part of a post, and the verdict."""

    result: Result
    relation: Relation
    #: The text that was checked.
    text: bytes
    #: What the text should be; None if that could not be made.
    expected: bytes | None = None
    filled: Filled | None = None
    template_digest: str = ""
    #: Every check of the receipt; None if there was none to check.
    receipt: Report | None = None
    #: Present if and only if the post was accepted.
    checked: CheckedPost | None = None
    #: What `check_post` raises; present if and only if the post was not accepted.
    error: Error | None = None

    @property
    def verdict(self) -> str:
        """`accepted`, `rejected` or `undecided`."""
        return self.result.name.lower()


def check_post(  # noqa: PLR0913 - one keyword for each thing that a caller may hold
    post: PostSource,
    policy: Policy,
    *,
    now: float,
    template: TemplateSource | None = None,
    text: str | bytes | None = None,
    receipt: Receipt | bytes | None = None,
    input: Value | None = None,  # noqa: A002 - as in `verify`
    program: Program | None = None,
    tee: TeeContext | None = None,
) -> CheckedPost:
    """Return what an acceptable post says, or raise.

    `template` is the one that the caller accepts, or its digest; without it nothing is decided.
    `text` is the text as the caller found it published; the post's own if it is not given.

    Raises:
        PostError: the text is not the one that the output gives, or the post is broken.
        VerificationError: the receipt is not acceptable.
        UndecidedError: something that a check needs was not given.
        InputError: an argument cannot be used.
    """
    report = explain_post(
        post,
        policy,
        now=now,
        template=template,
        text=text,
        receipt=receipt,
        input=input,
        program=program,
        tee=tee,
    )
    if report.checked is None:
        raise report.error or PostError("the post was not accepted")
    return report.checked


def explain_post(  # noqa: PLR0913 - as `check_post`
    post: PostSource,
    policy: Policy,
    *,
    now: float,
    template: TemplateSource | None = None,
    text: str | bytes | None = None,
    receipt: Receipt | bytes | None = None,
    input: Value | None = None,  # noqa: A002 - as in `verify`
    program: Program | None = None,
    tee: TeeContext | None = None,
) -> PostReport:
    """Make every check of a post; what fails is in the report, and is not raised.

    Raises:
        InputError: an argument cannot be used.
    """
    found = None if text is None else _found(text)
    accepted = None if template is None else _digest_of(template)
    try:
        parsed = _parsed(post)
    except MalformedError as error:
        error.check = f"post.{error.check if error.check in _PARSING else 'format'}"
        return PostReport(
            result=Result.REJECTED, relation=Relation.UNKNOWN, text=found or b"", error=error
        )
    checking = _Checking(parsed, found or parsed.text)
    checking.check_receipt(receipt, policy, now=now, input=input, program=program, tee=tee)
    checking.check_template(accepted)
    checking.check_text()
    return checking.report()


class _Checking:
    """One post; failures are kept, in the order of the checks."""

    def __init__(self, post: Post, text: bytes) -> None:
        self._post = post
        self._text = text
        self._errors: list[Error] = []
        self._relation = Relation.UNKNOWN
        self._report: Report | None = None
        self._model: str | None = None
        self._filled: Filled | None = None
        self._expected: bytes | None = None

    def check_receipt(
        self,
        own: Receipt | bytes | None,
        policy: Policy,
        *,
        now: float,
        input: Value | None,  # noqa: A002 - as in `verify`
        program: Program | None,
        tee: TeeContext | None,
    ) -> None:
        """Find the receipt, and verify it with the output that the post gives."""
        try:
            receipt = self._receipt(own)
        except (VerificationError, UndecidedError) as error:
            self._errors.append(error)
            return
        self._model = receipt.statement.model.digest
        rule = AllOf(policy, ExpectOutput())
        self._report = explain(
            receipt,
            rule,
            now=now,
            input=input,
            output=self._post.output,
            program=program,
            tee=tee,
        )
        if self._report.error is not None:
            self._errors.append(self._report.error)

    def check_template(self, accepted: str | None) -> None:
        """Compare the template with the caller's, and fill it."""
        digest = template_digest(self._post.template)
        if accepted is None:
            self._errors.append(
                TemplateMissingError(
                    f"nobody named the template that is accepted; the post's is {digest}",
                    check="post.template",
                )
            )
        elif accepted != digest:
            self._errors.append(
                PostError(
                    f"the template is {digest}, not {accepted}",
                    where="post.template",
                    check="post.template",
                )
            )
        try:
            template = Template.parse(self._post.template)
            if self._model is not None:
                self._filled = fill(
                    template,
                    self._post.outputs,
                    receipt_id=self._post.receipt_id,
                    model=self._model,
                )
        except VerificationError as error:
            self._errors.append(error)

    def check_text(self) -> None:
        """Compare the text with the excerpt."""
        if self._filled is None:
            return
        start, end = self._post.excerpt.start, self._post.excerpt.end
        try:
            require_excerpt(self._filled, start, end)
        except PostError as error:
            self._errors.append(error)
            return
        self._expected = self._filled.text[start:end]
        if self._text != self._expected:
            self._relation = Relation.EDITED
            self._errors.append(
                PostError(
                    "the text is not the one that the output gives",
                    where=f"byte {_first_difference(self._text, self._expected)}",
                    check="post.text",
                )
            )
        elif self._expected == self._filled.text:
            self._relation = Relation.EXACT
        else:
            self._relation = Relation.EXCERPT

    def report(self) -> PostReport:
        """Draw the verdict: the least of all; the first rejection speaks, then the first doubt."""
        rejections = [e for e in self._errors if not isinstance(e, UndecidedError)]
        error = next(iter(rejections or self._errors), None)
        result = Result.ACCEPTED
        if error is not None:
            result = Result.REJECTED if rejections else Result.UNDECIDED
        digest = template_digest(self._post.template)
        checked = None
        if result is Result.ACCEPTED and self._filled is not None and self._report is not None:
            verified = self._report.verified
            if verified is not None:
                checked = CheckedPost(
                    text=self._text.decode("utf-8"),
                    relation=self._relation,
                    filled=self._filled,
                    excerpt=(self._post.excerpt.start, self._post.excerpt.end),
                    template_digest=digest,
                    verified=verified,
                )
        if error is None and checked is None:  # nothing is accepted by way of a gap
            result, error = Result.REJECTED, PostError("the post was not checked to its end")
        return PostReport(
            result=result,
            relation=self._relation,
            text=self._text,
            expected=self._expected,
            filled=self._filled,
            template_digest=digest,
            receipt=self._report,
            checked=checked,
            error=error,
        )

    def _receipt(self, own: Receipt | bytes | None) -> Receipt:
        given = Receipt.from_bytes(own) if isinstance(own, bytes) else own
        carried = Receipt.from_bytes(self._post.receipt) if self._post.receipt else None
        receipts = [one for one in (given, carried) if one is not None]
        if not receipts:
            raise UndecidedError(
                f"the post carries no receipt, and {self._post.receipt_id} was not given",
                where="post.receipt",
                check="post.receipt",
                advice="Pass the receipt that the post names.",
            )
        for receipt in receipts:
            if receipt.receipt_id != self._post.receipt_id:
                raise PostError(
                    f"the receipt is {receipt.receipt_id}, the post names {self._post.receipt_id}",
                    where="post.receipt_id",
                    check="post.receipt",
                )
        return receipts[0]


def require_excerpt(filled: Filled, start: int, end: int) -> None:
    """Check that a range of bytes can be an excerpt.

    Raises:
        PostError: it is outside the text, or cuts a character or a value.
    """
    where = f"post.excerpt, bytes {start} to {end}"
    if not 0 <= start < end <= len(filled.text):
        raise PostError(
            f"the excerpt is outside the text of {len(filled.text)} bytes", where, _EXCERPT
        )
    for cut in (start, end):
        if cut < len(filled.text) and filled.text[cut] & 0xC0 == 0x80:  # noqa: PLR2004 - UTF-8
            raise PostError("the excerpt cuts a character", where, _EXCERPT)
        if any(first < cut < last for first, last in filled.values):
            raise PostError("the excerpt cuts a value of the output", where, _EXCERPT)


_EXCERPT: Final = "post.excerpt"
_PARSING: Final = ("size", "encoding")


def _parsed(source: PostSource) -> Post:
    if isinstance(source, Post):
        return Post.from_bytes(source.to_bytes())  # one path judges all
    if isinstance(source, bytes):
        return Post.from_bytes(source)
    return Post.load(source)


def _found(text: str | bytes) -> bytes:
    try:
        content = text.encode() if isinstance(text, str) else bytes(text)
        return require_text(content, where="`text`")
    except (MalformedError, UnicodeEncodeError) as error:
        raise InputError(f"`text` cannot be the text of a post: {error}") from error


def _digest_of(template: TemplateSource) -> str:
    if isinstance(template, Template):
        return template.digest
    if isinstance(template, bytes):
        return template_digest(template)
    if DIGEST.fullmatch(template) is None:
        raise InputError(f"`template` is no digest: {template[:90]!r}")
    return template


def _first_difference(left: bytes, right: bytes) -> int:
    pairs = enumerate(zip(left, right, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(left), len(right)))
