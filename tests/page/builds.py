"""Pages with another verifier than the committed one: one that answers as it is told."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from tests.repository import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def page_with(folder: Path, verifier: bytes) -> str:
    """Return the address of a page with this verifier."""
    module = folder / "module.wasm"
    module.write_bytes(verifier)
    command = ["node", str(ROOT / "page" / "build.mjs"), str(folder), str(module)]
    subprocess.run(command, check=True, capture_output=True)
    return (folder / "index.html").as_uri()


def told(folder: Path, kind: str, answer: Any = None) -> bytes:
    """Return a verifier that gives an answer, traps (`trap`), or never ends (`loop`)."""
    output, given = folder / "told.wasm", folder / "told.json"
    given.write_text(answer if isinstance(answer, str) else json.dumps(answer), encoding="utf-8")
    script = ROOT / "page" / "tests" / "write_module.mjs"
    command = ["node", str(script), str(output), kind, str(given)]
    subprocess.run(command, check=True, capture_output=True)
    return output.read_bytes()
