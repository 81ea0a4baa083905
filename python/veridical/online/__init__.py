"""What logs and seeds need of the network: cosigners that are asked over HTTP, a beacon's rounds.

Nothing here is needed to verify, and nothing of it is called unless an address was given.

| Module   | Purpose                                                                  |
|----------|--------------------------------------------------------------------------|
| `fetch`  | one request within a time and a size                                     |
| `witness`| collects cosignatures of one head from several cosigners                  |
| `mirror` | copies a log, and follows it from the checkpoint that is held               |
| `service`| a cosigner as an HTTP service                                             |
| `drand`  | rounds from relays of a drand chain                                       |
"""

from __future__ import annotations

from veridical.online.drand import DrandRelays
from veridical.online.mirror import Fetched, fetch_log
from veridical.online.witness import Collected, Witness, collect

__all__ = ["Collected", "DrandRelays", "Fetched", "Witness", "collect", "fetch_log"]
