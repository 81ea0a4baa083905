"""Making posts, and what people are shown of one that was edited."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.toy import NOW, OTHER_SIGNER, PROGRAM, SIGNER, X, toy_receipt, toy_run
from veridical import policy
from veridical.cli.app import run as command
from veridical.commitment import tensors_to_bytes
from veridical.errors import (
    InputError,
    PostError,
    SignatureError,
    StatementMismatchError,
    TemplateMissingError,
    UndecidedError,
)
from veridical.post import Post, Relation, Template, attach, check_post, difference, explain_post
from veridical.receipt import Reveal

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATE = Template.parse(
    b"veridical-template/v1\ntext\nFirst {number y 0,0 2}, then {number y 0,1 2} and no more.\n"
)
WHOLE = "First 4.44, then -6.81 and no more."
RULE = policy.TrustedSigners(SIGNER.public_key)
OUTPUTS = toy_run().outputs


def post(**options: Any) -> Post:
    return attach(toy_receipt(reveal=True), template=TEMPLATE, outputs=OUTPUTS, **options)


def check(made: Post, **options: Any) -> Any:
    given = {"now": NOW, "program": PROGRAM, "template": TEMPLATE, **options}
    return check_post(made, RULE, **given)


def test_a_text_is_bound_to_its_receipt() -> None:
    checked = check(post())
    assert checked.text == WHOLE
    assert checked.relation is Relation.EXACT
    values = [checked.filled.text[a:b] for a, b in checked.filled.values]
    assert values == [b"4.44", b"-6.81"]
    assert checked.verified.receipt_id == toy_receipt().receipt_id


@given(start=st.integers(0, len(WHOLE) - 1), size=st.integers(1, len(WHOLE)))
def test_any_piece_is_an_excerpt_unless_it_cuts_a_number(start: int, size: int) -> None:
    piece = WHOLE[start : start + size]
    try:
        made = post(text=piece)
    except InputError as error:
        assert "cuts a value" in error.message  # noqa: PT017 - or there is no error
        assert any(c in "0123456789.-" for c in piece)
        return
    relation = Relation.EXACT if piece == WHOLE else Relation.EXCERPT
    assert check(made).relation is relation
    bounds = made.excerpt.start, made.excerpt.end
    for a, b in ((6, 10), (17, 22)):
        assert not any(a < bound < b for bound in bounds)


@given(st.text(min_size=1, max_size=40))
def test_any_other_text_is_edited(text: str) -> None:
    try:
        content = text.encode()
    except UnicodeEncodeError:
        with pytest.raises(InputError):
            check(post(), text=text)
        return
    report = explain_post(post(), RULE, now=NOW, program=PROGRAM, template=TEMPLATE, text=content)
    assert report.relation is Relation.EDITED
    assert isinstance(report.error, PostError)
    assert report.error.check == "post.text"


def test_what_is_not_of_the_output_cannot_be_attached() -> None:
    with pytest.raises(InputError, match="not what the template makes"):
        post(text="First 4.45")
    with pytest.raises(InputError, match="not that of the receipt"):
        attach(toy_receipt(), template=TEMPLATE, outputs={"y": OUTPUTS["y"] + 1})
    with pytest.raises(InputError, match="does not reveal its output"):
        attach(toy_receipt(), template=TEMPLATE)
    closed = toy_receipt(private=True).without_reveals()
    with pytest.raises(InputError, match="does not reveal the salt"):
        attach(closed, template=TEMPLATE, outputs=OUTPUTS)


def test_what_a_receipt_reveals_of_its_output_need_not_be_given() -> None:
    receipt = toy_receipt(reveal=True)
    reveals = {**receipt.reveals, "output.decoded": Reveal(tensors_to_bytes(OUTPUTS))}
    revealing = type(receipt)(
        statement=receipt.statement, envelopes=receipt.envelopes, reveals=reveals
    )
    assert check(attach(revealing, template=TEMPLATE)).text == WHOLE


def test_nobodys_template_is_accepted_by_itself() -> None:
    with pytest.raises(TemplateMissingError, match=TEMPLATE.digest):
        check(post(), template=None)
    for named in (TEMPLATE, TEMPLATE.content, TEMPLATE.digest):
        assert check(post(), template=named).template_digest == TEMPLATE.digest
    with pytest.raises(InputError):
        check(post(), template="sha256:of nothing")


def test_a_post_without_its_receipt_asks_for_it() -> None:
    bare = post(carry_receipt=False)
    with pytest.raises(UndecidedError):
        check(bare)
    assert check(bare, receipt=toy_receipt(reveal=True)).text == WHOLE
    other = toy_receipt(inputs={"x": X["x"] * 2})
    with pytest.raises(PostError, match="the post names"):
        check(bare, receipt=other)


def test_the_receipt_is_verified_under_the_callers_policy() -> None:
    stranger = attach(toy_receipt(signer=OTHER_SIGNER), template=TEMPLATE, outputs=OUTPUTS)
    with pytest.raises(SignatureError):
        check(stranger, input=X)
    with pytest.raises(StatementMismatchError):
        check(post(), input={"x": X["x"] * 2})
    with pytest.raises(UndecidedError):
        check(post(), program=None)


@pytest.mark.parametrize(
    ("found", "hint", "changed"),
    [
        ("First 4.45, then -6.81 and no more.", "", [("44", "45")]),
        ("First 4.44, then 6.81 and no more.", "", [("-", "")]),
        ("First 4.44, then -6.81 and n\u043e more.", "", [("no", "n\u043e")]),
        ("First  4.44, then -6.81 and no more.", "white space", [(" ", "  ")]),
        ("then -6.81", "part", None),
    ],
)
def test_an_edit_is_shown(found: str, hint: str, changed: Any) -> None:
    shown = difference(WHOLE, found)
    assert shown.hint == hint
    assert "".join(part.expected for part in shown.parts) == WHOLE
    assert "".join(part.found for part in shown.parts) == found
    if changed is not None:
        assert [(p.expected, p.found) for p in shown.parts if not p.is_equal] == changed


def test_only_normalisation_is_said() -> None:
    assert difference("caf\u00e9", "cafe\u0301").hint == "normalisation"


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_difference_holds_both_texts(expected: str, found: str) -> None:
    parts = difference(expected, found).parts
    assert "".join(part.expected for part in parts) == expected
    assert "".join(part.found for part in parts) == found


def test_long_texts_are_compared_in_no_time() -> None:
    shown = difference("a b " * 10_000, "b a " * 10_000)
    assert len(shown.parts) < 10


BYTES = post().to_bytes()


@given(st.integers(0, len(BYTES) - 1), st.integers(1, 255))
@settings(max_examples=400)
def test_no_change_of_a_byte_is_accepted(place: int, change: int) -> None:
    changed = bytearray(BYTES)
    changed[place] ^= change
    report = explain_post(bytes(changed), RULE, now=NOW, program=PROGRAM, template=TEMPLATE)
    assert report.verdict == "rejected"
    assert report.checked is None


# --- the commands


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    toy_receipt(reveal=True).save("answer.receipt.json")
    np.savez("answer.npz", y=OUTPUTS["y"])
    SIGNER.public_key.save(tmp_path / "veridical.pub")
    (tmp_path / "report.template").write_bytes(TEMPLATE.content)
    (tmp_path / "text").write_text("then -6.81 and no more.\n", encoding="utf-8")
    return tmp_path


ATTACH = "attach answer.receipt.json --template report.template --output answer.npz -o x.post.json"
CHECK = "check-post x.post.json --signer veridical.pub --template report.template --now 1796000000"


def test_attach_writes_a_post(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(f"{ATTACH} --text text".split()) == 0
    made = Post.load(folder / "x.post.json")
    assert made.text == b"then -6.81 and no more."
    assert f"bytes {made.excerpt.start} to {made.excerpt.end}" in capsys.readouterr().out
    (folder / "text").write_text("then -6.82", encoding="utf-8")
    assert command(f"{ATTACH} --text text".split()) == 2


def test_check_post_says_what_is_undecided(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(ATTACH.split()) == 0
    # A toy program has no file, so the tier is undecided here; the relation is said all the same.
    assert command(CHECK.split()) == 3
    assert "the whole text" in capsys.readouterr().out
    assert command(["check-post", "x.post.json"]) == 2
    assert command(CHECK.replace("--template report.template", "").split()) == 3


def test_check_post_shows_an_edit(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(ATTACH.split()) == 0
    (folder / "text").write_text(WHOLE.replace("no", "n\u043e"), encoding="utf-8")
    capsys.readouterr()
    assert command(f"{CHECK} --text text".split()) == 1
    shown = capsys.readouterr()
    assert "- no\n+ n\u043e(U+043E)\n" in shown.out
    assert "check: post.text" in shown.err
    assert command(f"{CHECK} --text text --json".split()) == 1
    value = json.loads(capsys.readouterr().out)
    assert value["relation"] == "edited"
    assert {"expected": "no", "found": "n\u043e"} in value["difference"]
    assert value["values"] == [[6, 10], [17, 22]]
