"""Clients whose results are only reachable after verification.

Spec: spec/v1/serve.md, section 8. Needs the extra `client`.

| Module         | Purpose                                            |
|----------------|----------------------------------------------------|
| `wire`         | questions into requests, responses into answers    |
| `transfer`     | bodies bounded in bytes and time; retries           |
| `checking`     | what an answer has to pass before anybody sees it   |
| `heads`        | checkpoints that were seen, so that a fork shows    |
| `async_client` | `AsyncClient`                                       |
| `client`       | `Client`                                            |
| `proxy`        | verified answers for any client of the protocol     |
"""

from __future__ import annotations

from veridical.client.async_client import AsyncClient
from veridical.client.checking import Answer, Question, Trust
from veridical.client.client import Client
from veridical.client.heads import FolderHeads, Heads, MemoryHeads
from veridical.client.wire import GatewayError, Progress, ProofUnavailableError

__all__ = [
    "Answer",
    "AsyncClient",
    "Client",
    "FolderHeads",
    "GatewayError",
    "Heads",
    "MemoryHeads",
    "Progress",
    "ProofUnavailableError",
    "Question",
    "Trust",
]
