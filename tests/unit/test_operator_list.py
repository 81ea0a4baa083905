"""docs/operators.md lists what the compiler reads, no more and no less."""

from __future__ import annotations

import importlib
import pkgutil
import re

from tests.repository import ROOT
from veridical.compiler import frontend
from veridical.compiler.frontend.convert import CONVERTERS


def test_documented_operators_are_those_of_the_compiler() -> None:
    for module in pkgutil.iter_modules(frontend.__path__):
        importlib.import_module(f"veridical.compiler.frontend.{module.name}")
    text = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| [a-z, ]+ \| (`.*) \|$", text, flags=re.MULTILINE)
    documented = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert len(documented) == len(set(documented))
    assert set(documented) == set(CONVERTERS)
