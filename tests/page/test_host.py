"""In a browser, from disk: what goes wrong accepts nothing, what comes from outside is text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from attacks.scene import honest_scene
from tests.page.browser import PAGE, PHONE, reader
from tests.page.builds import page_with, told
from tests.page.scenes import reexecuted

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = pytest.mark.timeout(300)  # the first test may install the browser

ACCEPTED: dict[str, Any] = {"verdict": "accepted", "checks": [], "error": None, "verified": None}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a page whose verifier answers as the Python one does for the scene."""
    folder = tmp_path_factory.mktemp("told")
    return page_with(folder, told(folder, "answer", reexecuted().python_report().to_value()))


@pytest.mark.parametrize(
    ("kind", "answer", "verdict", "sentence"),
    [
        ("trap", None, "Rejected", "The verifier stopped before it was done."),
        pytest.param(
            *("answer", "no JSON", "Rejected", "an answer that this page does not understand"),
            marks=pytest.mark.accept,
        ),
        pytest.param(
            *("answer", '{"verdict":"Accepted"}', "Rejected", "this page does not understand"),
            marks=pytest.mark.accept,
        ),
        ("broken", None, "Not decided", "The verifier could not be loaded"),
        pytest.param(
            *("none", None, "Not decided", "The verifier could not be loaded"),
            marks=pytest.mark.accept,
        ),
    ],
)
def test_a_verifier_that_fails_accepts_nothing(
    browser: Browser, tmp_path: Path, kind: str, answer: Any, verdict: str, sentence: str
) -> None:
    modules = {"none": b"", "broken": b"\0asm\1\0\0\0\xff"}
    module = modules[kind] if kind in modules else told(tmp_path, kind, answer)
    with reader(browser) as window:
        window.open(page_with(tmp_path, module))
        window.give(reexecuted().write(tmp_path / "held"))
        assert window.verdict() == verdict
        assert sentence in window.text("#result .sentence")
        assert set(window.marks()) == {"open"}
        assert window.trouble == []


@pytest.mark.accept
def test_an_acceptance_without_anything_verified_shows_nothing(
    browser: Browser, tmp_path: Path
) -> None:
    with reader(browser) as window:
        window.open(page_with(tmp_path, told(tmp_path, "answer", ACCEPTED)))
        window.give(reexecuted().write(tmp_path / "held"))
        assert window.verdict() == "Rejected"
        assert set(window.marks()) == {"open"}


@pytest.mark.accept
def test_a_verifier_that_never_ends_can_be_stopped(browser: Browser, tmp_path: Path) -> None:
    with reader(browser) as window:
        window.open(page_with(tmp_path, told(tmp_path, "loop")))
        window.give(reexecuted().write(tmp_path / "held"))
        window.page.get_by_role("button", name="Stop").click()
        assert window.verdict() == "Not decided"
        assert "too long" in window.text("#result .sentence")


@pytest.mark.accept
def test_the_verifier_runs_in_a_worker_and_without_one(
    browser: Browser, address: str, tmp_path: Path
) -> None:
    held = reexecuted().write(tmp_path)
    with reader(browser) as window:
        window.open(address)
        window.give(held)
        assert window.verdict() == "Accepted"
        assert len(window.page.workers) == 1
        assert window.trouble == []
    with reader(browser) as window:
        window.page.add_init_script("delete globalThis.Worker")
        window.open(address)
        window.give(held)
        assert window.verdict() == "Accepted"
        assert window.page.workers == []
        assert window.trouble == []


@pytest.mark.accept
def test_nothing_is_checked_without_a_key_or_a_policy(
    browser: Browser, address: str, tmp_path: Path
) -> None:
    held = reexecuted()
    (tmp_path / "held.receipt.json").write_bytes(held.receipt)
    with reader(browser) as window:
        window.open(address)
        window.give([tmp_path / "held.receipt.json"])
        assert window.verdict() == "Not checked yet"
        assert "Nothing here was shown." in window.text(".claims")
        assert window.trouble == []


def test_a_link_brings_the_receipt_and_proposes_the_key(
    browser: Browser, address: str, tmp_path: Path
) -> None:
    key = tmp_path / "provider.pub"
    key.write_bytes(honest_scene().provider.public_key.to_pem())
    receipt = tmp_path / "held.receipt.json"
    receipt.write_bytes(reexecuted().receipt)
    with reader(browser) as window:
        window.open(address)
        window.give([receipt, key])
        assert window.verdict() == "Accepted"
        link = window.page.input_value("#permalink")
        assert link.startswith(f"{address}#r1=")
        assert window.page.get_by_role(
            "img", name="QR code of the link to this receipt"
        ).is_visible()
    with reader(browser) as window:
        window.open(link)
        assert window.verdict() == "Not checked yet"
        window.page.get_by_label("I accept signatures by this key").check()
        window.page.wait_for_selector(".verdict.is-accepted")
        assert window.trouble == []


HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script>'


def test_markup_from_outside_is_text(browser: Browser, tmp_path: Path) -> None:
    report = reexecuted().python_report().to_value()
    text = json.dumps(report).replace("order-4711", json.dumps(HOSTILE)[1:-1])
    with reader(browser) as window:
        window.open(page_with(tmp_path, told(tmp_path, "answer", text)))
        window.give(reexecuted().write(tmp_path / "held"))
        assert window.verdict() == "Accepted"
        assert HOSTILE in window.text("#result .sentence")
        assert "Check a receipt" in window.page.title()
        assert window.page.query_selector("#result img, #result script") is None
        assert window.trouble == []


@pytest.mark.accept
def test_the_page_lets_no_markup_and_no_script_in(browser: Browser, address: str) -> None:
    with reader(browser) as window:
        window.open(address)
        refused = window.page.evaluate(
            "() => { try { document.body.innerHTML = '<b>x</b>'; return ''; }"
            " catch (error) { return error.name; } }"
        )
        assert refused == "TypeError"
        window.page.evaluate(
            "() => { const s = document.createElement('script');"
            " try { s.textContent = 'document.title = 3'; } catch { return; }"
            " document.body.append(s); }"
        )
        assert "Check a receipt" in window.page.title()
        failed = window.page.evaluate(
            "() => fetch('http://g.example/').then(() => '', (error) => error.name)"
        )
        assert failed == "TypeError"


def test_everything_can_be_done_with_the_keyboard(browser: Browser, address: str) -> None:
    with reader(browser) as window:
        window.open(address)
        reached = []
        for _ in range(5):
            window.page.keyboard.press("Tab")
            reached.append(
                window.page.evaluate("document.activeElement.id || document.activeElement.tagName")
            )
        assert reached == ["theme", "files", "SUMMARY", "example-honest", "example-forged"]
        window.page.keyboard.press("Enter")
        assert window.verdict() == "Accepted"  # the verifier of this page always says so
        assert "Accepted." in window.page.inner_text("#status")
        assert window.page.get_attribute("#status", "role") == "status"


@pytest.mark.accept
def test_a_narrow_page_does_not_scroll_sideways(
    browser: Browser, address: str, tmp_path: Path
) -> None:
    for size in (PHONE, (320, 568)):
        with reader(browser, size=size) as window:
            window.open(address)
            window.give(reexecuted().write(tmp_path))
            window.verdict()
            window.page.click(".checks summary")
            width = window.page.evaluate("document.documentElement.scrollWidth")
            assert width <= size[0]


@pytest.mark.accept
def test_colours_follow_the_system_and_the_button(browser: Browser, address: str) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    with reader(browser, scheme="dark") as dark, reader(browser) as light:
        for window in (dark, light):
            window.open(address)
        by_system = dark.page.evaluate(paper)
        assert by_system != light.page.evaluate(paper)
        for _ in range(2):  # as the system, light, dark
            light.page.click("#theme")
        assert light.page.evaluate(paper) == by_system
        assert light.text("#theme") == "Colours: dark"


ODD_FILES = (
    b"",
    b"{",
    b"PK\x03\x04",
    b'{"version":"veridical-receipt/v1","statement":null,"envelopes":null}',
    b'{"version":"veridical-receipt/v1","statement":[],"envelopes":[null,{"signatures":7}]}',
    b'{"inputs":[null]}',
    b'{"inputs":[{"name":"x","datatype":"FP32","shape":[null],"data":[{}]}]}',
    b'{"version":"veridical-log-extract/v1","checkpoint":7,"entries":{}}',
    b'{"version":"veridical-post/v1","receipt":7,"text":null,"excerpt":[]}',
    b"veridical-template/v1\n{",
    b'version = "veridical-policy/v1"\n[[[',
)


@pytest.mark.accept
def test_no_file_breaks_the_page(browser: Browser, tmp_path: Path) -> None:
    key = tmp_path / "provider.pub"
    key.write_bytes(honest_scene().provider.public_key.to_pem())
    with reader(browser) as window:
        for number, content in enumerate(ODD_FILES):
            odd = tmp_path / f"{number}.npz"
            odd.write_bytes(content)
            window.open(PAGE.as_uri())
            window.give([key, odd])
            window.page.wait_for_timeout(150)
            if window.page.is_visible("#verdict-section"):
                assert window.verdict() not in {"Accepted", "Checking"}, content
            assert window.trouble == [], content
