"""A receipt of two gigabytes: whoever reads it before looking at its size runs out of memory.

The size is taken before anything is read.
"""

from __future__ import annotations

import atexit
import tempfile
from pathlib import Path

from attacks.scene import Handed, Scene, demonstrate

STOPPED_BY = "size"


def forge(scene: Scene) -> Handed:
    with tempfile.NamedTemporaryFile(suffix=".receipt.json", delete=False) as file:
        file.truncate(2 * 10**9)  # sparse: only the size that the system reports counts
    atexit.register(Path(file.name).unlink)
    return Handed(receipt=Path(file.name), answer=scene.run.outputs)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY)
