"""docs/verifying.md, run as it stands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.repository import ROOT

if TYPE_CHECKING:
    import pytest

DOCUMENT = ROOT / "docs" / "verifying.md"


def test_the_code_of_the_document_runs_from_top_to_bottom(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    text = DOCUMENT.read_text(encoding="utf-8")
    shown = re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    assert len(shown) > 4
    names: dict[str, Any] = {}
    exec(compile("\n".join(shown), str(DOCUMENT), "exec"), names)  # noqa: S102 - our own text
    printed = capsys.readouterr().out
    assert "ProgramMissingError" in printed
    assert "14 tier undecided" in printed
