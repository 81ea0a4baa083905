"""Veridical makes an AI answer checkable: compile, run, issue a receipt, verify it."""

from __future__ import annotations
