"""Writes what `veridical demo` carries inside the package: two small models and their samples."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from examples.zoo import FOLDER, zoo

DATA = Path(__file__).resolve().parent.parent / "python" / "veridical" / "demo" / "data"


def main() -> None:
    """Copy the models and store their samples compressed."""
    DATA.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(FOLDER / "allocation" / "weights.onnx", DATA / "allocation.onnx")
    shutil.copyfile(FOLDER / "models" / "lenet.onnx", DATA / "digits.onnx")
    market, digits = zoo()["weights"], zoo()["lenet"]
    np.savez_compressed(
        DATA / "allocation.npz",
        calibration=market.calibration()["features"],
        questions=market.test()["features"][:32],
    )
    pixels = {
        "calibration": digits.calibration()["input"],
        "questions": digits.test()["input"][:32],
    }
    as_bytes = {name: np.round(value * 255).astype(np.uint8) for name, value in pixels.items()}
    for name, value in pixels.items():
        if not np.array_equal(as_bytes[name].astype(np.float32) / np.float32(255), value):
            raise SystemExit(f"{name}: the digits are not multiples of 1/255")
    np.savez_compressed(DATA / "digits.npz", allow_pickle=False, **as_bytes)


if __name__ == "__main__":
    main()
