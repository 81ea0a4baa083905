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
| `proving`  | what a worker proves, wherever it runs                           |
| `worker`   | one worker: from the queue to a proof                            |
| `cluster`  | the same with provers on a Ray cluster                           |
| `supervisor` | keeps worker processes running                                 |
| `checker`  | checks proofs in a process of its own                            |
| `proofs`   | signing for those that hold                                      |
| `hardware` | a receipt key that quotes of hardware vouch for                  |
| `gateway`  | all of these together                                            |
| `app`      | the HTTP surface: who may ask, and what becomes of every error   |
| `exchange` | one request and its response, within limits                      |
| `infer`    | the hot route                                                    |
| `routes`   | all others                                                       |
| `streams`  | server-sent events                                               |
| `overview` | what an operator sees                                            |
| `pages`    | the page and the dashboard                                       |
| `openapi`  | the description of the routes                                    |
| `metrics`  | what is counted                                                  |
| `access`   | one line for each request                                        |
| `connections` | how many, how long, how large a head                          |
| `server`   | the process                                                      |
"""

from __future__ import annotations

from veridical.serve.gateway import Gateway, Settings
from veridical.serve.server import Listen, serve

__all__ = ["Gateway", "Listen", "Settings", "serve"]
