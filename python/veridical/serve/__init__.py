"""The gateway: models behind the Open Inference Protocol, a receipt with every answer.

Spec: spec/v1/serve.md. Needs the extra `serve`.

| Module     | Purpose                                                          |
|------------|------------------------------------------------------------------|
| `options`  | what a caller asks of its receipt                                |
| `models`   | the models that are served                                       |
| `accounts` | API keys and their limits                                        |
| `tariff`   | quotes and costs                                                 |
| `intents`  | what the gateway needs of a log                                  |
| `lanes`    | from requests to receipts, many at a time                        |
| `storage`  | the database                                                     |
| `proofs`   | worker processes, and signing for what they made                 |
| `worker`   | one worker                                                       |
| `gateway`  | all of these together                                            |
| `app`      | the HTTP surface                                                 |
| `openapi`  | its description                                                  |
| `metrics`  | what is counted                                                  |
| `server`   | the process                                                      |
"""

from __future__ import annotations

from veridical.serve.gateway import Gateway, Settings
from veridical.serve.server import serve

__all__ = ["Gateway", "Settings", "serve"]
