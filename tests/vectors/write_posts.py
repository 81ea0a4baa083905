"""Writes `vectors/post/`: templates filled or refused, and posts with what becomes of each.

Everything is made from literals and the receipts of `write_receipts`; a test compares.
Run with `python -m tests.vectors.write_posts`.
"""

from __future__ import annotations

import base64
import json
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

import veridical
from tests.repository import ROOT
from tests.toy import NOW, OTHER_SIGNER, SIGNER
from tests.vectors.write_receipts import make, run_once
from veridical.commitment import tensors_to_bytes
from veridical.post import Excerpt, Post, Template, attach
from veridical.post.template import template_digest
from veridical.receipt import Receipt, canonical

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

FOLDER = ROOT / "vectors" / "post"
HEAD: Final = "veridical-template/v1\n"
RECEIPT_ID: Final = "sha256:" + "1" * 64
MODEL: Final = "sha256:" + "2" * 64
POLICY = """version = "veridical-policy/v1"

[[rule]]
type = "trusted_signers"
key_files = ["../receipt/keys/ed25519.pub"]

[[rule]]
type = "require_tier"
tiers = ["reexecution"]
"""
#: Characters of one, two, three and four bytes, beside values.
REPORT = (
    HEAD + "labels side 2\nlinks ←\nrechts →\ntext\n"
    "Größe: {number y 0,0 3}, {number y 0,1 0}; Seite {largest side y 0,*}.\n"
    "Not to be read as advice 🙂 ({percent y 1,* 1} %).\n"
)
OTHER_REPORT = REPORT.replace("Not to be read as advice", "To be read as firm advice")

Outputs = dict[str, "NDArray[Any]"]


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


# --- filling


def outputs() -> Outputs:
    """Return tensors with every kind of element."""
    return {
        "scores": np.array([[0.0078125, 0.984375, 0.0078125], [0.25, 0.5, 0.5]], np.float64),
        "class": np.array([[1], [3]], np.int32),
        "odd": np.array([0.5, 1.5, 2.5, -0.5, -1.5, 0.125, 0.375, -0.001, -0.0], np.float64),
        "large": np.array([2.0**62, -(2.0**62), 9007199254740993, 2.0**63, 5e-324], np.float64),
        "single": np.array([0.1, 3.4e38], np.float32),
        "none": np.array([1.0, np.nan, np.inf, -np.inf], np.float64),
        "i64": np.array([-(2**63), -(2**63) + 1, 2**63 - 1, -1, 7], np.int64),
        "u64": np.array([2**64 - 1, 2**63 - 1, 2**63], np.uint64),
        "flag": np.array([[False, True]], np.bool_),
        "a/b:0|c~": np.array([[[7]]], np.int8),
    }


def filled_cases() -> Iterator[tuple[str, str]]:
    """Yield templates that fill."""
    kinds = "labels kind 3\npng\npdf\ntxt\n"
    yield (
        "example",
        f"{kinds}text\nThis file is {{largest kind scores 0,*}} ({{percent scores 0,* 1}} %).\n",
    )
    yield "lowest_of_equal", f"{kinds}text\n{{largest kind scores 1,*}} {{number scores 1,* 2}}"
    yield "label_by_number", f"{kinds}text\n{{label kind class 0,0}}"
    yield (
        "half_to_even",
        "text\n" + " ".join(f"{{number odd {i} {0 if i < 5 else 2}}}" for i in range(9)),
    )
    yield "decimals", "text\n" + " ".join(f"{{number odd 5 {d}}}" for d in range(10))
    yield (
        "large_and_small",
        (
            "text\n{number large 0 9} {number large 1 0} {percent large 0 9} {number large 2 0} "
            "{number large 4 9} {percent large 4 9}"
        ),
    )
    yield "single", "text\n{number single 0 9} {percent single 0 9}"
    yield "int64", "text\n{number i64 1 0} {number i64 2 2} {percent i64 1 9} {number i64 3 1}"
    yield "uint64", "text\n{number u64 1 0} {percent u64 1 9}"
    yield "bool", "text\n{number flag 0,1 0} {number flag 0,* 1} {percent flag 0,0 0}"
    yield "largest_of_integers", "text\n{number i64 * 0}"
    yield "name_with_signs", "text\n{number a/b:0|c~ 0,0,0 0}"
    yield "receipt_and_model", "text\n{receipt}\n\t{model}\n"
    yield "braces", "text\n{{{receipt}}} }}{{ {{}}"
    yield "many_bytes_in_a_character", "labels z 1\n{ü} 🙂\ntext\né {label z flag 0,0} é"
    yield "last_newline_is_the_files", "text\nno field\n"
    yield "other_newlines_are_the_bodys", "text\n\nno field\n\n\n"
    yield "a_body_may_hold_a_head", "text\ntext\nlabels kind 3\n"
    yield "two_lists", "labels a 1\nx\nlabels a_2 2\ny\ny\ntext\n{label a_2 flag 0,1}"


def refused_templates() -> Iterator[tuple[str, bytes]]:
    """Yield bytes that are no template."""
    heads = {
        "empty": "",
        "no_version": "text\nx",
        "version_2": "veridical-template/v2\ntext\nx",
        "no_text": HEAD + "labels a 1\nx\n",
        "no_newline_after_text": HEAD + "text",
        "space_after_text": HEAD + "text \nx",
        "label_missing": HEAD + "labels a 2\nx\ntext\n",
        "label_empty": HEAD + "labels a 1\n\ntext\nx",
        "label_too_long": HEAD + "labels a 1\n" + "é" * 129 + "\ntext\nx",
        "list_twice": HEAD + "labels a 1\nx\nlabels a 1\nx\ntext\nx",
        "list_of_none": HEAD + "labels a 0\ntext\nx",
        "list_with_leading_zero": HEAD + "labels a 01\nx\ntext\nx",
        "list_too_long": HEAD + "labels a 4097\n" + "x\n" * 4097 + "text\nx",
        "lists_too_long": HEAD + ("labels a 4096\n" + "x\n" * 4096) + "labels b 1\nx\ntext\nx",
        "list_with_a_capital": HEAD + "labels A 1\nx\ntext\nx",
        "carriage_return": HEAD + "text\r\nx",
        "escape": HEAD + "text\n\x1b[2J",
        "c1_control": HEAD + "text\n\x85",
        "right_to_left": HEAD + "text\n\u202etxet",
        "isolate": HEAD + "labels a 1\n\u2066x\ntext\nx",
        "too_large": HEAD + "text\n" + "x" * 65536,
        "too_many_fields": HEAD + "text\n" + "{model}" * 1025,
    }
    fields = {
        "open_brace": "a { b",
        "closed_brace": "a } b",
        "three_braces": "{{{",
        "no_field": "{}",
        "unknown_field": "{x}",
        "receipt_with_more": "{receipt 0}",
        "two_spaces": "{number  odd 0 1}",
        "leading_space": "{ number odd 0 1}",
        "brace_in_a_field": "{number {odd 0 1}",
        "newline_in_a_field": "{number odd\n0 1}",
        "no_decimals": "{number odd 0}",
        "two_digits_of_decimals": "{number odd 0 10}",
        "no_index": "{number odd  1}",
        "index_with_leading_zero": "{number odd 00 1}",
        "index_negative": "{number odd -1 1}",
        "index_of_2_32": "{number odd 4294967296 1}",
        "ten_indices": "{number odd 0,0,0,0,0,0,0,0,0,0 1}",
        "star_not_last": "{number scores *,0 1}",
        "largest_without_star": "{largest kind scores 0,0}",
        "no_such_list": "{label nowhere class 0,0}",
        "arabic_digit": "{number odd ٣ 1}",
    }
    for name, content in heads.items():
        yield name, content.encode()
    yield "not_utf8", HEAD.encode() + b"text\n\xff"
    yield "surrogate", HEAD.encode() + b"text\n\xed\xa0\x80"
    for name, body in fields.items():
        yield name, (HEAD + "labels kind 3\npng\npdf\ntxt\ntext\n" + body).encode()


def refused_fillings() -> Iterator[tuple[str, str]]:
    """Yield templates that do not fit the output."""
    kinds = "labels kind 3\npng\npdf\ntxt\n"
    yield "no_such_output", "text\n{number nothing 0 1}"
    yield "too_few_indices", "text\n{number scores 0 1}"
    yield "too_many_indices", "text\n{number odd 0,0 1}"
    yield "index_outside", "text\n{number odd 9 1}"
    yield "row_outside", "text\n{number scores 2,* 1}"
    yield "not_a_number", "text\n{number none 1 1}"
    yield "infinite", "text\n{number none 2 1}"
    yield "not_a_number_in_the_row", "text\n{number none * 1}"
    yield "two_to_the_63", "text\n{number large 3 0}"
    yield "single_out_of_range", "text\n{number single 1 0}"
    yield "least_int64", "text\n{number i64 0 0}"
    yield "uint64_out_of_range", "text\n{number u64 0 0}"
    yield "uint64_of_2_63", "text\n{number u64 2 0}"
    yield "label_of_a_fraction", f"{kinds}text\n{{label kind odd 0}}"
    yield "label_below_0", f"{kinds}text\n{{label kind i64 3}}"
    yield "label_beyond_the_list", f"{kinds}text\n{{label kind class 1,0}}"
    yield "labels_of_another_length", f"{kinds}text\n{{largest kind flag 0,*}}"
    yield "empty_text", "text\n"


def fillings() -> dict[str, Any]:
    """Return every case of `fill.json`."""
    from veridical.errors import PostError
    from veridical.post.filling import fill

    cases: dict[str, Any] = {}
    given = outputs()
    all_cases: list[tuple[str, bytes, str]] = [
        *((name, (HEAD + body).encode(), "") for name, body in filled_cases()),
        *((name, content, "post.template") for name, content in refused_templates()),
        *((name, (HEAD + body).encode(), "post.fill") for name, body in refused_fillings()),
    ]
    for name, content, check in all_cases:
        assert name not in cases, name
        cases[name] = {"digest": template_digest(content), "template": text(content)}
        try:
            filled = fill(Template.parse(content), given, receipt_id=RECEIPT_ID, model=MODEL)
        except PostError as error:
            cases[name]["error"] = error.check
        else:
            cases[name]["text"] = text(filled.text)
            cases[name]["values"] = [list(value) for value in filled.values]
        assert cases[name].get("error", "") == check, name
    return {
        "cases": cases,
        "model": MODEL,
        "output": text(tensors_to_bytes(given)),
        "receipt_id": RECEIPT_ID,
    }


# --- posts


def case(name: str, post: Post, verdict: str, relation: str, **more: Any) -> Any:
    return name, post.to_bytes(), {"relation": relation, "verdict": verdict, **more}


def posts() -> Iterator[tuple[str, bytes, dict[str, Any]]]:
    """Yield name, file, and what becomes of it."""
    run = run_once()
    template = Template.parse(REPORT.encode())
    receipt = make(run, reveal=True)
    whole = attach(receipt, template=template, outputs=run.outputs)
    lines = whole.text.decode().split("\n")
    piece = attach(receipt, template=template, outputs=run.outputs, text=lines[1])

    def found(content: str) -> str:
        return text(content.encode())

    yield case("exact", whole, "accepted", "exact")
    yield case("excerpt", piece, "accepted", "excerpt")
    private = make(run, private=True, reveal=True)
    yield case(
        "private", attach(private, template=template, outputs=run.outputs), "accepted", "exact"
    )
    bare = replace(whole, receipt=b"")
    yield case("receipt_given", bare, "accepted", "exact", receipt=text(receipt.to_bytes()))
    yield case("receipt_missing", bare, "undecided", "unknown", check="post.receipt")
    yield case(
        "template_not_named", whole, "undecided", "exact", template="", check="post.template"
    )
    yield case("found_unchanged", piece, "accepted", "excerpt", text=found(lines[1]))

    # What somebody changed in the published text; the post itself says the truth.
    number = lines[0].split(" ")[1].rstrip(",")
    edits = {
        "edited_number": whole.text.decode().replace(number, "9" + number, 1),
        "swapped_label": whole.text.decode().translate(str.maketrans("←→", "→←")),
        "stitched": lines[0][:7] + lines[1],
        "homoglyph": whole.text.decode().replace("Seite", "S\u0435ite"),
        "normalised": unicodedata.normalize("NFD", whole.text.decode()),
        "newline_added": whole.text.decode() + "\n",
        "word_left_out": whole.text.decode().replace("Not to", "To"),
        "shorter": lines[0],
    }
    for name, edit in edits.items():
        assert edit != whole.text.decode(), name
        edited = {"verdict": "rejected", "relation": "edited", "check": "post.text"}
        yield case(f"found_{name}", whole, text=found(edit), **edited)
        yield case(f"carried_{name}", replace(whole, text=edit.encode()), **edited)

    yield from changed_posts(run, whole, template, number.encode())
    yield from malformed(whole)


def changed_posts(
    run: veridical.Run, whole: Post, template: Template, number: bytes
) -> Iterator[tuple[str, bytes, dict[str, Any]]]:
    """Yield posts in which somebody changed what stands behind the text."""
    receipt = make(run, reveal=True)
    other = make(run, nonce="order-4712", reveal=True)
    swapped = replace(whole, receipt=other.to_bytes())
    yield case("other_receipt", swapped, "rejected", "unknown", check="post.receipt")
    renamed = replace(whole, receipt_id=other.receipt_id)
    yield case("other_receipt_id", renamed, "rejected", "unknown", check="post.receipt")
    stranger = attach(make(run, signer=OTHER_SIGNER), template=template, outputs=run.outputs)
    yield case("other_signer", stranger, "rejected", "exact", check="signer")
    unsigned = attach(Receipt(statement=receipt.statement), template=template, outputs=run.outputs)
    yield case("no_envelope", unsigned, "rejected", "exact", check="signer")
    raised = {"y": np.nextafter(run.outputs["y"], np.inf)}
    yield case("other_output", lie(whole, template, raised), "rejected", "exact", check="output")
    doubled = {"y": run.outputs["y"] * 2}
    yield case(
        "other_output_doubled", lie(whole, template, doubled), "rejected", "exact", check="output"
    )
    words = Template.parse(OTHER_REPORT.encode())
    other_words = attach(receipt, template=words, outputs=run.outputs)
    yield case("template_swapped", other_words, "rejected", "exact", check="post.template")
    broken = replace(whole, template=REPORT.encode().replace(b"{number", b"{nombre", 1))
    yield case("template_broken", broken, "rejected", "unknown", check="post.template")
    unfit = REPORT.replace("y 0,0 3", "y 2,0 3").encode()
    yield case(
        "template_does_not_fit",
        replace(whole, template=unfit),
        "rejected",
        "unknown",
        template=template_digest(unfit),
        check="post.fill",
    )
    start = whole.text.index(number)
    for name, first, last in (
        ("excerpt_begins_in_a_value", start + 1, len(whole.text)),
        ("excerpt_ends_in_a_value", 0, start + len(number) - 1),
        ("excerpt_begins_in_a_character", 3, len(whole.text)),
        ("excerpt_ends_in_a_character", 0, 3),
        ("excerpt_ends_beyond_the_text", 0, len(whole.text) + 1),
        ("excerpt_lies_beyond_the_text", len(whole.text), len(whole.text) + 5),
    ):
        shifted = replace(whole, excerpt=Excerpt(first, last))
        yield case(name, shifted, "rejected", "unknown", check="post.excerpt")
    # Broken twice: a rejection outweighs what is undecided.
    yield case(
        "edited_and_template_not_named",
        replace(whole, text=b"x"),
        "rejected",
        "edited",
        template="",
        check="post.text",
    )


def lie(post: Post, template: Template, values: Outputs) -> Post:
    """Return a post that agrees with itself about an output that the receipt does not have."""
    from veridical.post.filling import fill

    model = Receipt.from_bytes(post.receipt).statement.model.digest
    filled = fill(template, values, receipt_id=post.receipt_id, model=model)
    return replace(
        post,
        output=tensors_to_bytes(values),
        text=filled.text,
        excerpt=Excerpt(0, len(filled.text)),
    )


def malformed(post: Post) -> Iterator[tuple[str, bytes, dict[str, Any]]]:
    """Yield files that are no post."""
    content = post.to_bytes()
    document: Any = canonical.decode(content, max_bytes=10**6, where="vector")

    def changed(**members: Any) -> bytes:
        merged = {**document, **members}
        return canonical.encode({k: v for k, v in merged.items() if v is not None})

    files = {
        "empty_file": (b"", "encoding"),
        "trailing_newline": (content + b"\n", "encoding"),
        "white_space": (content.replace(b":", b": ", 1), "encoding"),
        "key_twice": (content.replace(b'"text":', b'"text":"eA==","text":', 1), "encoding"),
        "raw_text": (content.replace(b'"text":"', b'"text":"\xc3\xa9', 1), "encoding"),
        "unused_bits": (changed(text="eB=="), "encoding"),
        "no_padding": (changed(text="eA"), "encoding"),
        "unknown_member": (changed(extra=""), "format"),
        "no_text": (changed(text=None), "format"),
        "empty_text": (changed(text=""), "format"),
        "empty_output": (changed(output=""), "format"),
        "empty_template": (changed(template=""), "format"),
        "version_2": (changed(version="veridical-post/v2"), "format"),
        "short_receipt_id": (changed(receipt_id="sha256:00"), "format"),
        "text_not_utf8": (changed(text=text(b"\xff")), "format"),
        "text_is_a_number": (changed(text=1), "format"),
        "excerpt_of_nothing": (changed(excerpt={"end": 0, "start": 0}), "format"),
        "excerpt_backwards": (changed(excerpt={"end": 1, "start": 2}), "format"),
        "excerpt_negative": (changed(excerpt={"end": 1, "start": -1}), "format"),
        "excerpt_with_more": (changed(excerpt={"end": 1, "first": 0, "start": 0}), "format"),
        "output_cut": (changed(output=text(post.output[:-1])), "format"),
        "output_with_more": (changed(output=text(post.output + b"\0")), "format"),
        "text_too_long": (changed(text=text(b"x" * 65_537)), "size"),
        "template_too_long": (changed(template=text(b"x" * 65_537)), "size"),
    }
    for name, (file, check) in files.items():
        outcome = {"relation": "unknown", "verdict": "rejected", "check": f"post.{check}"}
        yield f"file_{name}", file, outcome
    # A bundle inside that is none is refused by the receipt's own checks.
    for name, bundle, check in (
        ("bundle_cut", post.receipt[:-1], "encoding"),
        ("bundle_of_version_2", post.receipt.replace(b"receipt/v1", b"receipt/v2"), "format"),
    ):
        outcome = {"relation": "unknown", "verdict": "rejected", "check": check}
        yield f"file_{name}", changed(receipt=text(bundle)), outcome


def files() -> dict[str, bytes]:
    """Return every file of the folder by its relative path."""
    written = {"policy.toml": POLICY.encode(), "report.template": REPORT.encode()}
    written["fill.json"] = _json(fillings())
    cases: dict[str, dict[str, Any]] = {}
    for name, content, outcome in posts():
        path = f"posts/{name}.post.json"
        assert path not in written, path
        written[path] = content
        cases[path] = {"template": template_digest(REPORT.encode()), **outcome}
    written["cases.json"] = _json(
        {
            "cases": cases,
            "now": NOW,
            "program": "../program/example.vprog",
            "signer": SIGNER.public_key.to_pem().decode(),
        }
    )
    return written


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def main(folder: Path = FOLDER) -> None:
    """Write every file."""
    for name, content in files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
