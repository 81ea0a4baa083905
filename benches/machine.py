"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

# The instructions that decide which integer kernel is fastest.
FLAGS = ("avx2", "avx512f", "avx512bw", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
ROOT = Path(__file__).resolve().parent.parent


def describe() -> dict[str, str]:
    """Return processor, cores, memory, versions and commit."""
    fields = _cpu_fields()
    present = set((fields.get("flags") or fields.get("Features", "")).split())
    return {
        "processor": fields.get("model name", platform.machine()),
        "cores": str(len(os.sched_getaffinity(0))),
        "instructions": " ".join(flag for flag in FLAGS if flag in present),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "onnxruntime": metadata.version("onnxruntime"),
        "commit": _commit(),
    }


def _cpu_fields() -> dict[str, str]:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    pairs = (line.partition(":") for line in lines if ":" in line)
    found: dict[str, str] = {}
    for name, _, value in pairs:
        found.setdefault(name.strip(), value.strip())
    return found


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude", "*"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"
