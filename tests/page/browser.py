"""A reader in a real browser without a network, with an eye on what the page says and asks for."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from playwright.sync_api import sync_playwright

from attacks.scene import NOW
from tests.repository import PACKAGE, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from playwright.sync_api import Browser, Page

PAGE: Final = PACKAGE / "page" / "index.html"
DASHBOARD: Final = PACKAGE / "page" / "dashboard.html"
AXE: Final = ROOT / "page" / "node_modules" / "axe-core" / "axe.min.js"
DESKTOP: Final = (1200, 900)
PHONE: Final = (390, 844)
_WAIT_MS: Final = 60_000


class NoBrowserError(Exception):
    """There is none, and none can be installed."""


def chromium() -> str:
    """Return the path of a Chromium, installing Debian's if that is possible."""
    done = subprocess.run(
        [str(ROOT / "scripts" / "chromium.sh")], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise NoBrowserError(done.stderr.strip())
    return done.stdout.strip().splitlines()[-1]


@contextmanager
def started() -> Iterator[Browser]:
    """Start the browser; it ends with the block."""
    executable = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Reader:
    """One window, and everything in it that should not have been."""

    page: Page
    trouble: list[str] = field(default_factory=list)

    def open(self, address: str) -> None:
        """Open an address and wait until the page is there."""
        self.page.goto(address)

    def give(self, files: Sequence[Path]) -> None:
        """Choose files as a person does."""
        self.page.set_input_files("#files", [str(path) for path in files])

    def verdict(self) -> str:
        """Wait for the verdict's word."""
        self.page.wait_for_function(
            "() => { const e = document.querySelector('#result .verdict');"
            " return e !== null && e.textContent !== 'Checking'; }",
            timeout=_WAIT_MS,
        )
        return self.text("#result .verdict")

    def text(self, selector: str) -> str:
        """Return the text of the first element that fits."""
        return self.page.inner_text(selector).strip()

    def marks(self) -> tuple[str, ...]:
        """Return how the three properties stand."""
        found = self.page.query_selector_all("#result .property")
        return tuple(
            (line.get_attribute("class") or "").removeprefix("property is-") for line in found
        )

    def accessibility(self) -> list[str]:
        """Return what axe-core objects to, in the page as it stands."""
        # By the door of the debugger: the page's own policy lets no foreign script in.
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found: dict[str, Any] = self.page.evaluate("axe.run(document)")
        return [
            f"{one['id']}: {node['html'][:120]}"
            for one in found["violations"]
            for node in one["nodes"]
        ]


@contextmanager
def reader(
    browser: Browser,
    *,
    size: tuple[int, int] = DESKTOP,
    scheme: Any = "light",
    is_offline: bool = True,
    origin: str = "file://",
) -> Iterator[Reader]:
    """Open a window whose clock stands at the time of the scenes."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        offline=is_offline,
        device_scale_factor=2 if size == PHONE else 1,
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.clock.set_fixed_time(datetime.fromtimestamp(NOW, UTC))
    window = Reader(page)
    page.on("console", lambda message: window.trouble.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: window.trouble.append(f"error: {error}"))

    def look(address: str) -> None:
        if not address.startswith((origin, "blob:", "data:")):
            window.trouble.append(f"request: {address}")

    page.on("request", lambda request: look(request.url))
    try:
        yield window
    finally:
        context.close()
