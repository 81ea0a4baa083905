"""Real files of this machine, many types, chosen the same way every time.

The files differ from machine to machine, so nothing may be concluded from one of them; what is
compared is the float model with its integer program on the same bytes.
"""

from __future__ import annotations

import os
import sysconfig
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from examples.filetype.features import read_tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES = (
    *(
        "a",
        "awk",
        "bz2",
        "c",
        "cc",
        "cmake",
        "conf",
        "cpp",
        "crt",
        "css",
        "csv",
        "dat",
        "enc",
        "exe",
    ),
    *("f", "f90", "gif", "gz", "h", "html", "ini", "jar", "js", "json", "m4", "mat", "md", "mo"),
    *("npy", "npz", "onnx", "pc", "pdf", "pem", "pl", "pm", "png", "pod", "proto", "ps", "py"),
    *("pyc", "pyi", "pyx", "rs", "rst", "sh", "so", "sql", "svg", "tcl", "tex", "tmpl", "toml"),
    *("ttf", "txt", "vim", "wav", "whl", "xml", "xsl", "yaml", "yml", "zip"),
)
NUM_CALIBRATION = 48
NUM_TEST = 240


def files() -> list[Path]:
    """Return files round robin over the types, evenly spaced within each type."""
    roots = {sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}
    by_suffix: defaultdict[str, list[str]] = defaultdict(list)
    for root in (*sorted(roots), "/usr/share", "/usr/include", "/etc"):
        for folder, folders, names in os.walk(root):
            folders.sort()
            for name in names:
                suffix = name.rpartition(".")[2].lower()
                if suffix in SUFFIXES:
                    by_suffix[suffix].append(os.path.join(folder, name))  # noqa: PTH118 - 10^5 files
    most = -(-2 * (NUM_CALIBRATION + NUM_TEST) // max(1, len(by_suffix)))
    spread = []
    for suffix in sorted(by_suffix):
        found = sorted(set(by_suffix[suffix]))
        step = max(1, len(found) // most)
        spread.append(found[::step])
    longest = max(map(len, spread), default=0)
    return [Path(found[i]) for i in range(longest) for found in spread if i < len(found)]


@cache
def tokens() -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the calibration rows and the test rows, of different files.

    Shape: (48, 2048) and (240, 2048); fewer rows if the machine has fewer files.
    """
    rows: dict[bytes, NDArray[np.int32]] = {}
    for path in files():
        if len(rows) == NUM_CALIBRATION + NUM_TEST:
            break
        if path.is_symlink() or not path.is_file() or not os.access(path, os.R_OK):
            continue
        row = read_tokens(path)
        if row is not None:
            rows.setdefault(row.tobytes(), row)  # two copies of one file count once
    stacked = np.stack(list(rows.values()))
    every = len(stacked) // NUM_CALIBRATION
    is_calibration = np.arange(len(stacked)) % every == 0
    return stacked[is_calibration], stacked[~is_calibration]
