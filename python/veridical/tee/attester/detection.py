"""Which interface to quotes this machine has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from veridical.errors import AttesterError
from veridical.tee.attester.configfs import ConfigfsTsm
from veridical.tee.attester.dstack import SOCKETS, DstackAgent
from veridical.tee.attester.nsm import NitroModule

if TYPE_CHECKING:
    from veridical.tee.evidence import Attester

__all__ = ["detect"]


def detect(*, root: Path = Path("/")) -> Attester:
    """Return the attester of this machine; `root` is where its file system begins.

    dstack's agent goes first: it has the event log that a bare quote of the kernel lacks.

    Raises:
        AttesterError: the machine has none that is known.
    """
    for path in SOCKETS:
        if (root / path).is_socket():
            return DstackAgent(root / path)
    module = NitroModule(root)
    if module.device.exists():
        return module
    kernel = ConfigfsTsm(root)
    if kernel.folder.is_dir():
        return kernel
    raise AttesterError(
        "this machine offers no quotes of its hardware",
        where=str(root),
        check="attester.absent",
        advice="Looked for: dstack's socket, /dev/nsm, /sys/kernel/config/tsm/report. "
        "Mount configfs, pass the device or socket into the container, or use the simulator.",
    )
