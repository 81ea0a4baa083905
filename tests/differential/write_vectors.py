"""Writes vectors/program; the same bytes on every machine.

Usage: python -m tests.differential.write_vectors
"""

from __future__ import annotations

import json
import shutil
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from tests.differential.broken_files import broken_files
from tests.differential.draft import Draft
from tests.differential.floats import adversarial_floats
from tests.differential.random_programs import (
    PROPOSALS,
    ops_of,
    random_inputs,
    random_program,
)
from veridical import reference
from veridical.errors import InputError
from veridical.reference import boundary
from veridical.reference.graph import RealScale

FOLDER = Path(__file__).resolve().parents[2] / "vectors" / "program"

BATCH = 3
MAX_FILE_BYTES = 40_000
LONG_SEEDS = range(2000, 2008)
BOUNDS = (-(2**15), 2**20)
SCALES = [(1, 0), (3, -4), (2**31 - 1, 40), (12345, 96), (7, -96), (1 << 30, 62)]


def example() -> Draft:
    """Return the example of spec/v1/program.md, section 1."""
    rng = np.random.default_rng(1)
    draft = Draft()
    draft.add_input((3,), -8192, 8191, name="x", encode={"kind": "real", "mul": 1, "shift": -10})
    consts = [
        draft.add_const("weight", "i16", rng.integers(-600, 600, (2, 3))),
        draft.add_const("weight", "i32", rng.integers(-(10**6), 10**6, 2)),
    ]
    linear = draft.add_raw_node("linear", [0], consts, (-16_000_000, 16_000_000), (2,))
    relu = draft.add_const("table", "i16", np.maximum(0, np.arange(-2048, 2048)))
    last = draft.add_node("table", [linear], [relu], first=-2048, round=1, shift=13)
    draft.add_output(last, shift=8)
    draft.outputs[0]["name"] = "y"
    return draft


def programs() -> dict[str, Draft]:
    """Return the named programs: the example, one per op, and some long ones."""
    named = {"example": example()}
    for op in PROPOSALS:
        named[f"op_{op}"] = _first_with(op, runs=True)
    named["empty_row"] = _first_with("softmax_numerator", runs=False)
    for seed in LONG_SEEDS:
        named[f"random_{seed}"] = random_program(seed)
    named["salted"] = example()
    named["salted"].salt = bytes(range(32))
    named["aliases"] = example()
    named["aliases"].aliases = {"note": "outside the digest", "sha256": "00" * 32}
    return named


def describe(draft: Draft) -> dict[str, Any]:
    """Return what a reader must find for one program."""
    program = reference.load(draft.to_bytes())
    inputs = random_inputs(draft, np.random.default_rng(len(draft.nodes)), BATCH)
    described = {
        "digest": program.digest,
        "inputs": {key: values.tolist() for key, values in inputs.items()},
        "weight_root": program.weight_root.hex(),
    }
    try:
        run = program.run(inputs)
    except InputError as error:
        return {**described, "error": error.check}
    outputs = {key: values.tolist() for key, values in run.outputs.items()}
    return {**described, "outputs": outputs, "trace_root": run.trace_root().hex()}


def encodings() -> list[dict[str, Any]]:
    """Return floats as bits with the integers that they become."""
    cases: list[dict[str, Any]] = []
    for name, dtype, word in (("float32", np.float32, "u4"), ("float64", np.float64, "u8")):
        for mul, shift in SCALES:
            scale = RealScale(mul=mul, shift=shift)
            values = adversarial_floats(dtype, scale)
            values = values[np.linspace(0, len(values) - 1, 150).astype(int)]
            encoded, saturated = boundary.encode_real(values, scale, BOUNDS, name)
            digits = 2 * values.itemsize
            cases.append(
                {
                    "bits": [f"{bits:0{digits}x}" for bits in values.view(word).tolist()],
                    "dtype": name,
                    "hi": BOUNDS[1],
                    "lo": BOUNDS[0],
                    "mul": mul,
                    "q": encoded.tolist(),
                    "saturation_count": saturated,
                    "shift": shift,
                }
            )
    return cases


def write(folder: Path) -> None:
    """Write all vectors into an empty folder."""
    (folder / "broken").mkdir(parents=True)
    for name, draft in programs().items():
        (folder / f"{name}.vprog").write_bytes(draft.to_bytes())
        _write_json(folder / f"{name}.json", describe(draft))
    salted = programs()["salted"]
    root = reference.load(salted.to_bytes()).weight_root
    (folder / "salted.vkey").write_bytes(salted.to_key_bytes(root))
    _write_json(folder / "encode.json", encodings())
    for broken in broken_files():
        # A key file is the other kind of file, not a defect.
        if len(broken.content) <= MAX_FILE_BYTES and broken.name != "a_key_file":
            (folder / "broken" / f"{broken.name}.vprog").write_bytes(broken.content)


def _first_with(op: str, *, runs: bool) -> Draft:
    """Return the first random program of at most three nodes that has this op.

    It runs on its inputs, or meets an empty row.
    """
    for seed in count():
        draft = random_program(seed, max_nodes=3)
        if op not in ops_of(draft) or len(draft.to_bytes()) > MAX_FILE_BYTES:
            continue
        if ("error" not in describe(draft)) == runs:
            return draft
    raise AssertionError("seeds are endless")


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, sort_keys=True) + "\n")


if __name__ == "__main__":
    shutil.rmtree(FOLDER, ignore_errors=True)
    write(FOLDER)
