"""Fuzzes one parser with coverage: `python -m tests.fuzz.tee PARSER CORPUS [libFuzzer option..]`.

`python -m tests.fuzz.tee` lists the parsers. scripts/fuzz_tee.sh installs what this needs.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path


def main(arguments: list[str]) -> None:
    """Write the inputs to begin from, then try others until the time is over."""
    import atheris

    with atheris.instrument_imports(include=["veridical.tee", "veridical.receipt"]):
        from tests.fuzz.parsers import PARSERS, survives
    if not arguments:
        sys.stdout.write("".join(f"{name}\n" for name in PARSERS))
        return
    name, corpus, *options = arguments
    parser = PARSERS[name]
    folder = Path(corpus)
    folder.mkdir(parents=True, exist_ok=True)
    for seed in parser.seeds():
        (folder / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    command = [sys.argv[0], f"-max_len={parser.max_bytes}", *options, corpus]

    def try_one(content: bytes) -> None:
        survives(parser, content)

    atheris.Setup(command, try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
