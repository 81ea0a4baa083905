"""Texts made of answers: a report on an allocation, the name of a file's type.

`allocation.template` is a file for `veridical attach --template`; the other one is made here, as
its labels come with the model.
"""

from __future__ import annotations

from pathlib import Path

from examples.filetype.features import labels
from veridical.post import Template

__all__ = ["ALLOCATION", "file_type_template"]

ALLOCATION = Path(__file__).with_name("allocation.template")


def file_type_template() -> Template:
    """Return the template of a sentence about one file."""
    names = labels()
    lines = [
        "veridical-template/v1",
        f"labels type {len(names)}",
        *names,
        "text",
        "This file is {largest type target_label 0,*} ({percent target_label 0,* 1} % sure).",
    ]
    return Template.parse("\n".join(lines).encode())
