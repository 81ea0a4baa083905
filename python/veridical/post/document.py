"""`*.post.json`: the file of a post.

Spec: spec/v1/post.md, section 3. A `Post` is parsed, not checked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from veridical.commitment import tensors_from_bytes, tensors_to_bytes
from veridical.errors import FieldError, InputError, OversizeError
from veridical.files import write_whole
from veridical.post.template import TEMPLATE_MAX_BYTES
from veridical.receipt import RECEIPT_MAX_BYTES, canonical
from veridical.receipt.members import Members

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["POST_MAX_BYTES", "TEXT_MAX_BYTES", "Excerpt", "Post"]

POST_MAX_BYTES: Final = 24 * 2**20
OUTPUT_MAX_BYTES: Final = 2**20
TEXT_MAX_BYTES: Final = 64 * 1024

_VERSION: Final = "veridical-post/v1"
_MEMBERS: Final = (
    "excerpt",
    "output",
    "receipt",
    "receipt_id",
    "template",
    "text",
    "version",
)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A range of bytes of the filled text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A parsed post. Nothing in it is checked."""

    receipt_id: str
    excerpt: Excerpt
    text: bytes
    template: bytes = field(repr=False)
    output: bytes = field(repr=False)
    #: The bundle; empty if the reader is to have it.
    receipt: bytes = field(default=b"", repr=False)

    @property
    def outputs(self) -> Mapping[str, NDArray[Any]]:
        """The decoded output that the post gives; a receipt has to confirm it.

        Raises:
            MalformedError: it is not canonical.
        """
        return tensors_from_bytes(self.output, where="post.output")

    def to_bytes(self) -> bytes:
        """Return the canonical bytes."""
        return canonical.encode(
            {
                "excerpt": {"end": self.excerpt.end, "start": self.excerpt.start},
                "output": canonical.encode_base64(self.output),
                "receipt": canonical.encode_base64(self.receipt),
                "receipt_id": self.receipt_id,
                "template": canonical.encode_base64(self.template),
                "text": canonical.encode_base64(self.text),
                "version": _VERSION,
            }
        )

    @classmethod
    def from_bytes(cls, untrusted: bytes) -> Self:
        """Parse a post.

        Raises:
            MalformedError: one subclass per defect.
        """
        value = canonical.decode(untrusted, max_bytes=POST_MAX_BYTES, where="post")
        members = Members(value, _MEMBERS, where="post")
        members.literal("version", _VERSION)
        bounds = Members(members["excerpt"], ("end", "start"), where="post.excerpt")
        excerpt = Excerpt(bounds.count("start"), bounds.count("end"))
        if excerpt.start >= excerpt.end:
            raise members.refuse("excerpt", "an excerpt begins before it ends")
        post = cls(
            receipt_id=members.digest("receipt_id"),
            excerpt=excerpt,
            text=_blob(members, "text", TEXT_MAX_BYTES),
            template=_blob(members, "template", TEMPLATE_MAX_BYTES),
            output=_blob(members, "output", OUTPUT_MAX_BYTES),
            receipt=_blob(members, "receipt", RECEIPT_MAX_BYTES, is_optional=True),
        )
        require_text(post.text, where="post.text")
        # What has no second encoding in the file has none inside.
        if tensors_to_bytes(post.outputs) != post.output:
            raise members.refuse("output", "not canonical tensor bytes")
        return post

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a post file.

        Raises:
            InputError: the file cannot be read.
            MalformedError: as `from_bytes`.
        """
        try:
            with Path(path).open("rb") as file:
                untrusted = file.read(POST_MAX_BYTES + 1)
        except (OSError, ValueError) as error:
            raise InputError(f"cannot read the post: {error}", where=str(path)) from error
        return cls.from_bytes(untrusted)

    def save(self, path: str | Path) -> None:
        """Write the file in one step, `*.post.json` by convention.

        Raises:
            InputError: the file cannot be written.
        """
        write_whole(path, self.to_bytes(), what="the post")


def require_text(text: bytes, *, where: str) -> bytes:
    """Return a text if it is one that a post can have.

    Raises:
        FieldError: it is empty, too long, or not UTF-8.
    """
    if not 1 <= len(text) <= TEXT_MAX_BYTES:
        raise FieldError(f"a text has 1 to {TEXT_MAX_BYTES} bytes", where=where, check="format")
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        where = f"{where}, byte {error.start}"
        raise FieldError("not UTF-8", where=where, check="format") from error
    return text


def _blob(members: Members, name: str, limit: int, *, is_optional: bool = False) -> bytes:
    where = members.where(name)
    content = canonical.decode_base64(members.text(name, max_length=POST_MAX_BYTES), where=where)
    if len(content) > limit:
        raise OversizeError(f"{len(content)} bytes; at most {limit} are allowed", where, "size")
    if not content and not is_optional:
        raise members.refuse(name, "is empty")
    return content
