"""The gateway's database.

| Module   | Purpose                                        |
|----------|------------------------------------------------|
| `schema` | the tables                                     |
| `engine` | connections and migrations                     |
| `store`  | receipts, evidence, keys of callers, usage     |
| `queue`  | proofs that were asked for                     |
"""

from __future__ import annotations

from veridical.serve.storage.queue import Claim, Job, Queue
from veridical.serve.storage.store import (
    Answered,
    ApiKey,
    FencedError,
    Kept,
    Store,
    StoredReceipt,
    Usage,
)

__all__ = [
    "Answered",
    "ApiKey",
    "Claim",
    "FencedError",
    "Job",
    "Kept",
    "Queue",
    "Store",
    "StoredReceipt",
    "Usage",
]
