"""Command line: one file per command, no logic of its own."""

from __future__ import annotations

from veridical.cli.app import main

__all__ = ["main"]
