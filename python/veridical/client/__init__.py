"""Clients whose results are only reachable after verification.

Spec: spec/v1/serve.md, section 8. Needs the extra `client`.

| Module     | Purpose                                          |
|------------|--------------------------------------------------|
| `wire`     | questions into requests, responses into answers  |
| `checking` | what an answer has to pass before anybody sees it |
| `client`   | `Client` and `AsyncClient`                       |
| `proxy`    | verified answers for any client of the protocol   |
"""

from __future__ import annotations

from veridical.client.checking import Answer, Trust
from veridical.client.client import AsyncClient, Client
from veridical.client.wire import GatewayError

__all__ = ["Answer", "AsyncClient", "Client", "GatewayError", "Trust"]
