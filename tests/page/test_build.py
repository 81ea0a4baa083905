"""The committed pages are what their sources and the verifier give."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.page.browser import DASHBOARD, PAGE
from tests.repository import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGES = pytest.mark.parametrize("page", [PAGE, DASHBOARD], ids=lambda path: path.name)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    command = ["node", str(ROOT / "page" / "build.mjs"), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@PAGES
def test_pages_fit_their_sources(page: Path, built: Path) -> None:
    # Not compared as texts: a difference of megabytes is no message.
    is_same = page.read_bytes() == (built / page.name).read_bytes()
    assert is_same, f"{page.name} is not what page/src and veridical.wasm give: run `make page`"


def test_the_verifier_in_the_page_is_the_committed_one() -> None:
    module = PAGE.with_name("veridical.wasm").read_bytes()
    text = PAGE.read_text(encoding="utf-8")
    inside = re.search(r'<script type="text/plain" id="verifier">([^<]*)</script>', text)
    assert inside is not None
    digest = hashlib.sha256(module).hexdigest()
    assert hashlib.sha256(base64.b64decode(inside[1], validate=True)).hexdigest() == digest
    assert f"sha256:{digest}" in text


@PAGES
def test_the_policy_of_a_page_names_its_own_script_and_style_only(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    rules = dict(rule.split(" ", 1) for rule in policy[1].split("; "))
    for element, rule in (("script", "script-src"), ("style", "style-src")):
        (content,) = re.findall(rf"<{element}>(.*?)</{element}>", text, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in rules[rule]
        assert "'unsafe-inline'" not in rules[rule]
        assert "'unsafe-eval'" not in rules[rule]
    assert rules["default-src"] == "'none'"
    assert rules["connect-src"] == "'self'"
    assert rules["require-trusted-types-for"] == "'script'"
    # What hashes do not cover does not occur.
    assert not re.search(
        r"\s(?:style|on[a-z]+)=", re.sub(r"<(script|style)\b.*?</\1>", "", text, flags=re.DOTALL)
    )


@PAGES
def test_a_page_names_no_file_and_no_host(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    markup = re.sub(r"<(script|style)\b.*?</\1>", "", text, flags=re.DOTALL)
    assert not re.findall(r'(?:src|href)="(?!data:,"|/")[^"]*"', markup)
    hosts = set(re.findall(r"https?://([A-Za-z0-9.-]+)", text))
    assert hosts <= {"www.w3.org"}  # the name of SVG, which nobody asks for
