"""A browser for the tests of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.page.browser import NoBrowserError, started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser


# A module each: its driver runs an event loop in this thread, where other tests run theirs.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        with started() as running:
            yield running
    except NoBrowserError as error:
        pytest.skip(str(error))
