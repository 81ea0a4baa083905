from __future__ import annotations

from benches.zk.__main__ import Findings
from tests.repository import ROOT

PUBLISHED = ROOT / "docs" / "measurements-zk.md"
FIGURES = PUBLISHED.with_suffix(".json")
PICTURE = PUBLISHED.with_suffix(".png")


def test_published_report_is_in_the_index_and_is_what_its_figures_give() -> None:
    """`make measurements-zk` writes it; nobody edits a figure by hand."""
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert PUBLISHED.exists() == FIGURES.exists() == (f"({PUBLISHED.name})" in index)
    if PUBLISHED.exists():
        picture = PICTURE.name if PICTURE.exists() else None
        assert Findings.load(FIGURES).text(picture) == PUBLISHED.read_text(encoding="utf-8")
        assert PICTURE.stat().st_size < 200_000
