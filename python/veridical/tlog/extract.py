"""A log extract: a checkpoint and every entry below it, in one file for a reader without the log.

Spec: spec/v1/page.md, section 5.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from veridical.errors import InputError, LogError
from veridical.receipt.canonical import encode_base64
from veridical.tlog.tree import Hashes, leaf_hash, tree_root

if TYPE_CHECKING:
    from veridical.tlog.log import Log

__all__ = ["EXTRACT_MAX_ENTRIES", "EXTRACT_VERSION", "extract"]

EXTRACT_VERSION: Final = "veridical-log-extract/v1"
EXTRACT_MAX_ENTRIES: Final = 200_000


def extract(log: Log) -> bytes:
    """Return the extract of a log as it stands, under its cosigned checkpoint if there is one.

    Raises:
        InputError: the log has more entries than an extract takes.
        LogError: the log's files do not lead to its checkpoint.
    """
    signed = log.cosigned() or log.head()
    if signed.size > EXTRACT_MAX_ENTRIES:
        raise InputError(
            f"{signed.size} entries; an extract takes {EXTRACT_MAX_ENTRIES}",
            advice="Hand out the folder of the log; any reader of tiles takes it.",
        )
    entries = [content for _, content in log.reader(signed.size).entries()]
    if tree_root(Hashes([leaf_hash(entry) for entry in entries]), signed.size) != signed.root:
        raise LogError("the entries do not lead to the checkpoint", check="log.root")
    value = {
        "checkpoint": encode_base64(signed.to_bytes()),
        "entries": [encode_base64(content) for content in entries],
        "version": EXTRACT_VERSION,
    }
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode("ascii")
