"""Making a post: a receipt, its output and a template, and the text that is published.

Spec: spec/v1/post.md, section 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from veridical.commitment import tensors_to_bytes
from veridical.errors import InputError, PostError, VerificationError
from veridical.post.checking import require_excerpt
from veridical.post.document import OUTPUT_MAX_BYTES, Excerpt, Post
from veridical.post.filling import Filled, fill
from veridical.receipt import Receipt, Reveal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from veridical.post.template import Template

__all__ = ["attach"]


def attach(
    receipt: Receipt,
    *,
    template: Template,
    outputs: Mapping[str, NDArray[Any]] | None = None,
    text: str | bytes | None = None,
    carry_receipt: bool = True,
) -> Post:
    """Return a post of a text; of the whole filled text if none is given.

    `outputs` is the decoded output; what the receipt reveals of it if it is not given. A text that
    is found at several places of the filled text is taken to be the first of them. The receipt is
    carried as it is, with its reveals; `carry_receipt=False` leaves only its id.

    Raises:
        InputError: the text is not what the template makes of the output, or no excerpt of it, or
            the output is not that of the receipt.
    """
    reveal = receipt.reveals.get("output.decoded", Reveal())
    content = reveal.content if outputs is None else tensors_to_bytes(outputs)
    if not content:
        raise InputError(
            "the receipt does not reveal its output, and none was given",
            advice="Pass the outputs of the run.",
        )
    commitment = receipt.statement.output.decoded
    if commitment.is_salted and not reveal.salt:
        raise InputError(
            "the output is salted, and the receipt does not reveal the salt",
            where="output.decoded",
        )
    if not commitment.opens_to("output.decoded", content, salt=reveal.salt or None):
        raise InputError("the output is not that of the receipt", where="output.decoded")
    if len(content) > OUTPUT_MAX_BYTES:
        raise InputError(f"an output of a post has at most {OUTPUT_MAX_BYTES} bytes")
    post = Post(
        receipt_id=receipt.receipt_id,
        excerpt=Excerpt(0, 1),
        text=b"-",
        template=template.content,
        output=content,
        receipt=receipt.to_bytes() if carry_receipt else b"",
    )
    try:
        filled = fill(
            template,
            post.outputs,
            receipt_id=post.receipt_id,
            model=receipt.statement.model.digest,
        )
    except PostError as error:
        raise InputError(error.message, where=error.where) from error
    wanted = filled.text if text is None else text.encode() if isinstance(text, str) else text
    excerpt = _excerpt(filled, wanted)
    made = Post(
        receipt_id=post.receipt_id,
        excerpt=excerpt,
        text=wanted,
        template=post.template,
        output=post.output,
        receipt=post.receipt,
    )
    try:
        return Post.from_bytes(made.to_bytes())
    except VerificationError as error:  # longer than a post may be
        raise InputError(error.message, where=error.where) from error


def _excerpt(filled: Filled, wanted: bytes) -> Excerpt:
    """Return the first place at which a text can be an excerpt."""
    refused: PostError | None = None
    start = filled.text.find(wanted) if wanted else -1
    while start >= 0:
        try:
            require_excerpt(filled, start, start + len(wanted))
        except PostError as error:
            refused = refused or error
            start = filled.text.find(wanted, start + 1)
        else:
            return Excerpt(start, start + len(wanted))
    if refused is not None:
        raise InputError(refused.message, where=refused.where) from refused
    raise InputError(
        "the text is not what the template makes of the output, nor an excerpt of it",
        where="text",
        advice="Publish the filled text unchanged, or one piece of it.",
    )
