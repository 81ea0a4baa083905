"""A report on an allocation, and the name of a file's type: bound to receipts, and forged."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import veridical
from examples.filetype import __main__ as filetype
from examples.filetype.features import tokens
from examples.posts import ALLOCATION, file_type_template
from examples.zoo import take, zoo
from tests.toy import NOW, SIGNER
from veridical import policy
from veridical.errors import Error
from veridical.post import Excerpt, Post, Relation, Template, attach, check_post, explain_post

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True)
class Scene:
    """An answer with its receipt, and the template of its text."""

    run: veridical.Run
    template: Template
    question: Mapping[str, NDArray[Any]]

    def issue(self, nonce: str = "n") -> veridical.Receipt:
        return veridical.issue(self.run, signer=SIGNER, nonce=nonce, issued_at=NOW)

    def post(self, text: str | None = None) -> Post:
        return attach(self.issue(), template=self.template, outputs=self.run.outputs, text=text)

    def given(self, **changes: Any) -> dict[str, Any]:
        rule = policy.TrustedSigners(SIGNER.public_key)
        return {
            "policy": rule,
            "now": NOW,
            "template": self.template,
            "program": self.run.program,
            "input": self.question,
            **changes,
        }


def allocation() -> Scene:
    case = zoo()["weights"]
    program = veridical.compile(case.path(), calibration=case.calibration())
    question = take(case.test(), slice(0, 1))
    return Scene(veridical.run(program, question), Template.load(ALLOCATION), question)


def file_type() -> Scene:
    row = tokens(b"import os\n\n\ndef main():\n    print(os.getcwd())\n" * 20, b"print(1)\n" * 99)
    assert row is not None
    question = {"bytes": row[None]}
    run = veridical.run(filetype.load_program(), question)
    return Scene(run, file_type_template(), question)


@pytest.fixture(
    scope="module",
    params=[
        allocation,
        pytest.param(file_type, marks=(pytest.mark.slow, pytest.mark.timeout(600))),
    ],
)
def scene(request: pytest.FixtureRequest) -> Scene:
    make: Callable[[], Scene] = request.param
    return make()


def test_the_text_is_accepted_whole_and_in_part(scene: Scene) -> None:
    checked = check_post(scene.post(), **scene.given())
    assert checked.relation is Relation.EXACT
    part = checked.text.splitlines()[0].partition("(")[0].rstrip()
    piece = check_post(scene.post(part), **scene.given())
    assert part != checked.text
    assert piece.relation is Relation.EXCERPT


def edits(text: str) -> dict[str, str]:
    """Return texts that somebody might publish in place of this one."""
    number = re.search(r"[0-9]+\.[0-9]", text)
    assert number is not None
    first, last = text.split(" ", 1)[0], text.rsplit(" ", 1)[-1]
    swapped = {
        "this file is python": "this file is pdf",
        "small value": "small Value",
        "large value": "large vaIue",
    }
    label = next(old for old in swapped if old in text or old in text.lower())
    position = text.lower().index(label)
    return {
        "number": text.replace(number[0], f"9{number[0]}", 1),
        "label": text[:position] + swapped[label] + text[position + len(label) :],
        "stitched": f"{first} {last}",
        "homoglyph": text.replace("i", "\u0456", 1),
        "hidden": text.replace(" ", " \u200b", 1),
        "white space": f"{text} ",
    }


@pytest.mark.parametrize(
    "kind", ["number", "label", "stitched", "homoglyph", "hidden", "white space"]
)
def test_an_edited_text_is_shown_as_edited(scene: Scene, kind: str) -> None:
    post = scene.post()
    text = edits(post.text.decode())[kind]
    for forged, found in ((post, text), (dataclasses.replace(post, text=text.encode()), None)):
        report = explain_post(forged, **scene.given(text=found))
        assert (report.verdict, report.relation) == ("rejected", Relation.EDITED)
        assert report.error is not None
        assert report.error.check == "post.text"


def test_what_stands_behind_a_text_cannot_be_exchanged(scene: Scene) -> None:
    post = scene.post()

    def refused(forged: Post, check: str, **changes: Any) -> None:
        with pytest.raises(Error) as caught:
            check_post(forged, **scene.given(**changes))
        assert caught.value.check == check

    other = scene.issue("another answer")
    refused(dataclasses.replace(post, receipt=other.to_bytes()), "post.receipt")
    refused(post, "input", input={k: np.flip(v) for k, v in scene.question.items()})
    refused(post, "post.template", template=Template.parse(scene.template.content + b"!"))
    # A template of other words makes another text of the same output; nobody accepted those words.
    words = Template.parse(scene.template.content.replace(b"text\n", b"text\nBUY: ", 1))
    refused(attach(scene.issue(), template=words, outputs=scene.run.outputs), "post.template")
    # The output itself is exchanged, with the text that the template makes of it.
    higher = {name: array * 1.5 for name, array in scene.run.outputs.items()}
    receipt = veridical.issue(
        dataclasses.replace(scene.run, outputs=higher), signer=SIGNER, nonce="n", issued_at=NOW
    )
    lie = attach(receipt, template=scene.template, outputs=higher)
    refused(lie, "tier")
    refused(dataclasses.replace(lie, receipt=post.receipt), "post.receipt")
    moved = dataclasses.replace(lie, receipt=post.receipt, receipt_id=post.receipt_id)
    refused(moved, "output")
    cut = dataclasses.replace(post, excerpt=Excerpt(0, 3), text=post.text[:3] + b"x")
    refused(cut, "post.text")


def test_numbers_of_the_report_are_those_of_the_answer() -> None:
    scene = allocation()
    shown = re.findall(r"([0-9]+\.[0-9]) %", scene.post().text.decode())[:10]
    shares = scene.run.outputs["weights"][0]
    np.testing.assert_allclose(np.array(shown, float), 100 * shares, atol=0.05 + 1e-9)
