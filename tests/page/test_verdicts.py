"""The committed page with its own verifier: a few receipts; tests/accept has all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.page import scenes
from tests.page.browser import PAGE, reader

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = pytest.mark.timeout(300)  # the first test may install the browser


def test_genuine_receipts_are_accepted_and_forged_ones_rejected(
    browser: Browser, tmp_path: Path
) -> None:
    held = [
        scenes.proven(),
        scenes.logged(tmp_path),
        scenes.seeded(),
        scenes.signed(),
        scenes.attested(),
        scenes.forged("signed_lie"),
        scenes.forged("edited_statement"),
        scenes.forged_proof(),
    ]
    with reader(browser) as window:
        window.open(PAGE.as_uri())
        for one in held:
            window.give(one.write(tmp_path / one.name))
            assert (window.verdict(), one.name) == (one.verdict, one.name)
            assert one.sentence in window.text("#result .sentence")
            window.page.click("#clear")
        assert window.trouble == []


def test_the_examples_of_the_page(browser: Browser) -> None:
    with reader(browser) as window:
        window.open(PAGE.as_uri())
        window.page.click("#example-honest")
        assert window.verdict() == "Accepted"
        window.page.click("#clear")
        window.page.click("#example-forged")
        window.page.wait_for_selector(".verdict.is-rejected")
        assert "The signature belongs to another statement." in window.text("#result .sentence")
        assert window.trouble == []
