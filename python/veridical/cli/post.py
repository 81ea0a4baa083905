"""`veridical attach` and `veridical check-post`: a published text and the receipt it came from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from veridical.cli.console import emit, emit_json, print_error, terminal
from veridical.cli.exit_codes import ExitCode, exit_code_of
from veridical.cli.judgement import NO_OPTIONS, Options, rules_of, tee_context
from veridical.cli.loading import load_arrays
from veridical.cli.samples import load_samples, named
from veridical.errors import InputError
from veridical.policy import AllOf
from veridical.post import (
    Difference,
    PostReport,
    Relation,
    Template,
    attach,
    difference,
    explain_post,
)
from veridical.post.document import TEXT_MAX_BYTES
from veridical.receipt import Receipt
from veridical.verifier.report import error_value

__all__ = ["attach_", "check_post_"]

_SAID = {
    Relation.EXACT: "the whole text that the template makes of the output",
    Relation.EXCERPT: "an unchanged piece of the text that the template makes of the output",
    Relation.EDITED: "edited: not the text that the template makes of the output",
    Relation.UNKNOWN: "could not be compared",
}


def attach_(
    receipt: Path,
    *,
    template: Path,
    out: Annotated[Path, Parameter(name=["--out", "-o"])],
    text: Path | None = None,
    output: Path | None = None,
    id_only: Annotated[bool, Parameter(negative="")] = False,
) -> ExitCode:
    """Bind a text to the receipt it came from.

    Parameters
    ----------
    receipt
        The receipt file. It is carried as it is: what it reveals, the post reveals.
    template
        Words, and fields that the output fills (spec/v1/post.md, section 4).
    out
        Write the post here (`*.post.json`).
    text
        The text, or the piece of it, that is published; the whole filled text if it is not given.
    output
        The answer, as `run` wrote it; what the receipt reveals if it is not given.
    id_only
        Carry only the id of the receipt: the reader has to have it.
    """
    post = attach(
        Receipt.load(receipt),
        template=Template.load(template),
        outputs=None if output is None else load_arrays(output),
        text=None if text is None else _read_text(text),
        carry_receipt=not id_only,
    )
    post.save(out)
    emit(f"post      {out}")
    emit(f"receipt   {post.receipt_id}")
    emit(f"template  {Template.parse(post.template).digest}")
    emit(f"excerpt   bytes {post.excerpt.start} to {post.excerpt.end}")
    return ExitCode.ACCEPTED


def check_post_(
    post: Path,
    *,
    template: str | None = None,
    text: Path | None = None,
    receipt: Path | None = None,
    options: Options = NO_OPTIONS,
) -> ExitCode:
    """Say whether a text is, unchanged, what a receipt's output gives.

    Parameters
    ----------
    post
        The post file.
    template
        The template whose words you accept: its file, or its digest (`sha256:...`). Without it
        nothing is accepted, as the words of a template are its author's.
    text
        The text as you found it; what the post carries if it is not given.
    receipt
        The receipt, for a post that carries only its id.
    """
    if options.output is not None:
        raise InputError("--output is not for a post, which gives its own output")
    program = options.load_program()
    names = None if program is None else [entry.name for entry in program.inputs]
    report = explain_post(
        post,
        AllOf(*rules_of(options)),
        now=options.judged_at(),
        template=None if template is None else _template(template),
        text=None if text is None else _read_text(text),
        receipt=None if receipt is None else Receipt.load(receipt),
        input=None if options.input is None else named(load_samples(options.input), names or []),
        program=program,
        tee=tee_context(options),
    )
    shown = _difference(report)
    if options.json:
        emit_json(_value(report, shown))
    else:
        _print(report, shown)
    if report.error is None:
        return ExitCode.ACCEPTED
    if not options.json:
        print_error(report.error, is_json=False)
    return exit_code_of(report.error)


def _template(value: str) -> Template | str:
    return value if value.startswith("sha256:") else Template.load(value)


def _read_text(path: Path) -> bytes:
    """Read a text; one newline at the end of a file is the file's."""
    try:
        with path.open("rb") as file:
            content = file.read(TEXT_MAX_BYTES + 2)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the text: {error}", where=str(path)) from error
    return content.removesuffix(b"\n")


def _difference(report: PostReport) -> Difference | None:
    if report.relation is not Relation.EDITED or report.expected is None:
        return None
    whole = report.expected if report.filled is None else report.filled.text
    return difference(
        report.expected.decode("utf-8"), report.text.decode("utf-8"), whole=whole.decode("utf-8")
    )


def _value(report: PostReport, shown: Difference | None) -> dict[str, object]:
    filled = report.filled
    return {
        "difference": None
        if shown is None
        else [{"expected": part.expected, "found": part.found} for part in shown.parts],
        "error": None if report.error is None else error_value(report.error),
        "filled": None if filled is None else filled.text.decode("utf-8"),
        "hint": "" if shown is None else shown.hint,
        "receipt": None if report.checked is None else report.checked.verified.to_value(),
        "relation": report.relation.value,
        "template_digest": report.template_digest,
        "text": report.text.decode("utf-8"),
        "values": [] if filled is None else [list(value) for value in filled.values],
        "verdict": report.verdict,
    }


def _print(report: PostReport, shown: Difference | None) -> None:
    emit(report.verdict)
    emit(f"text      {_SAID[report.relation]}")
    emit(f"template  {report.template_digest or 'none'}; its words are its author's")
    if report.filled is not None:
        _print_filled(report)
    if report.checked is not None:
        verified = report.checked.verified
        emit(f"receipt   {verified.receipt_id}")
        emit(f"tier      {verified.tier or 'none'}")
        for assumption in verified.assumptions:
            emit(f"assumes   {assumption}")
    if shown is not None:
        _print_difference(shown)


def _print_filled(report: PostReport) -> None:
    """Show the whole text with the values of the output in brackets, coloured on a terminal."""
    if report.filled is None:
        return
    text, position = Text(), 0
    content = report.filled.text
    for start, end in report.filled.values:
        text.append(_printable(content[position:start].decode("utf-8")), style="dim")
        text.append(_printable(content[start:end].decode("utf-8")), style="bold cyan")
        position = end
    text.append(_printable(content[position:].decode("utf-8")), style="dim")
    console = terminal()
    if console is not None:
        console.print("output    ", end="")
        console.print(text)
        return
    values = [content[start:end].decode("utf-8") for start, end in report.filled.values]
    emit(f"output    {', '.join(_printable(value) for value in values) or 'no field'}")


def _print_difference(shown: Difference) -> None:
    console = terminal()
    if console is not None:
        line = Text()
        for part in shown.parts:
            if part.is_equal:
                line.append(_printable(part.expected))
            else:
                line.append(_spelled(part.expected), style="green strike")
                line.append(_spelled(part.found), style="bold red")
        console.print(line)
    for part in shown.parts:
        if not part.is_equal:
            emit(f"- {_spelled(part.expected)}")
            emit(f"+ {_spelled(part.found)}")
    if shown.hint:
        emit(f"hint      {_HINTS[shown.hint]}")


_HINTS = {
    "normalisation": "both are one text in another Unicode normalisation; the bytes differ",
    "white space": "only white space differs",
    "part": "the text is another piece of the filled text than the post says",
}


def _spelled(text: str) -> str:
    """Return text with what looks like something else spelled out."""
    named_ = "".join(c if c.isascii() else f"{c}(U+{ord(c):04X})" for c in text)
    return _printable(named_) or "nothing"


def _printable(text: str) -> str:
    """Escape what could command a terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
