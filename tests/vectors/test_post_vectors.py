"""Every file of `vectors/post/`: filled, accepted or refused as it says."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

import veridical
from tests.vectors.write_posts import FOLDER, files
from veridical import policy
from veridical.commitment import tensors_from_bytes
from veridical.errors import Error, PostError
from veridical.post import Post, Template, check_post, explain_post
from veridical.post.filling import fill

FILL = json.loads((FOLDER / "fill.json").read_text())
POSTS = json.loads((FOLDER / "cases.json").read_text())
POLICY = policy.load(FOLDER / "policy.toml")
PROGRAM = veridical.load(FOLDER / POSTS["program"])


@pytest.mark.parametrize("name", sorted(FILL["cases"]))
def test_a_template_fills_or_is_refused(name: str) -> None:
    case = FILL["cases"][name]
    outputs = tensors_from_bytes(base64.b64decode(FILL["output"]))
    names = {"receipt_id": FILL["receipt_id"], "model": FILL["model"]}
    content = base64.b64decode(case["template"])
    if "error" in case:
        with pytest.raises(PostError) as caught:
            fill(Template.parse(content), outputs, **names)
        assert caught.value.check == case["error"]
        return
    template = Template.parse(content)
    assert template.digest == case["digest"]
    filled = fill(template, outputs, **names)
    assert filled.text == base64.b64decode(case["text"])
    assert [list(value) for value in filled.values] == case["values"]


def given(case: dict[str, Any]) -> dict[str, Any]:
    return {
        "now": POSTS["now"],
        "program": PROGRAM,
        "template": case["template"] or None,
        "text": base64.b64decode(case["text"]) if "text" in case else None,
        "receipt": base64.b64decode(case["receipt"]) if "receipt" in case else None,
    }


@pytest.mark.parametrize("name", sorted(POSTS["cases"]))
def test_a_post_ends_as_it_should(name: str) -> None:
    case = POSTS["cases"][name]
    report = explain_post(FOLDER / name, POLICY, **given(case))
    assert (report.verdict, report.relation.value) == (case["verdict"], case["relation"])
    assert (report.checked is None) == (case["verdict"] != "accepted")
    if case["verdict"] == "accepted":
        content = (FOLDER / name).read_bytes()
        assert Post.from_bytes(content).to_bytes() == content
        checked = check_post(FOLDER / name, POLICY, **given(case))
        start, end = checked.excerpt
        assert checked.filled.text[start:end] == checked.text.encode()
        return
    with pytest.raises(Error) as caught:
        check_post(FOLDER / name, POLICY, **given(case))
    assert caught.value.check == case["check"]


def test_every_file_is_a_case_and_every_case_is_written_again_bit_for_bit() -> None:
    written = files()
    present = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file()}
    assert present == set(written)
    changed = [name for name, content in written.items() if (FOLDER / name).read_bytes() != content]
    assert not changed
    assert {name for name in present if name.startswith("posts/")} == set(POSTS["cases"])


def test_the_example_of_the_specification_is_a_vector() -> None:
    text = (FOLDER.parents[1] / "spec" / "v1" / "post.md").read_text()
    template, filled = re.findall(r"^```\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)[:2]
    case = FILL["cases"]["example"]
    assert base64.b64decode(case["template"]).decode() == template
    assert base64.b64decode(case["text"]).decode() + "\n" == filled
