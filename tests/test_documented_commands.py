"""Commands and options that the documents show exist in the command line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache

import pytest

from tests.repository import files_ending, label

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def shown_commands() -> list[tuple[str, str]]:
    """Return (document, command line) of every `veridical ...` line in a code block."""
    found = []
    for path in files_ending(".md"):
        for language, block in FENCE.findall(path.read_text(encoding="utf-8")):
            if language not in {"", "sh", "console"}:
                continue
            joined = block.replace("\\\n", " ")
            found += [
                (label(path), line.strip())
                for line in re.findall(r"^\s*\$? ?(veridical .*)$", joined, flags=re.MULTILINE)
            ]
    return found


@cache
def help_of(*words: str) -> str:
    """Return the help text of one command; a command that does not exist fails here."""
    start = "from veridical.cli import main; main()"
    command = [sys.executable, "-c", start, *words, "--help"]
    wide = {**os.environ, "COLUMNS": "200"}  # an option is not broken over two lines
    run = subprocess.run(command, env=wide, capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"{' '.join(words)}: {run.stdout}{run.stderr}"
    return run.stdout


def test_documents_show_commands() -> None:
    documents = {name for name, _ in shown_commands()}
    assert {"README.md", "docs/quickstart.md"} <= documents


@pytest.mark.parametrize(("document", "line"), shown_commands())
def test_shown_command_and_its_options_exist(document: str, line: str) -> None:
    words = line.partition("#")[0].split()[1:]
    # The command is the leading words that are neither file names nor options: `key new`.
    command: list[str] = []
    for word in words[:3]:
        if not re.fullmatch(r"[a-z][a-z-]*", word) or word not in help_of(*command):
            break
        command.append(word)
    assert command, f"{document}: {line!r} names no command"
    options = re.findall(r"(?<!\S)(--[a-z][a-z-]*|-[a-z])(?=[=\s]|$)", line)
    text = help_of(*command)
    for option in options:
        pattern = rf"(?<![\w-]){re.escape(option)}(?![\w-])"
        assert re.search(pattern, text), f"{document}: {line!r}: no {option}"
