"""What the edge of the gateway takes of a processor for each request, without the gateway.

`python -m benches.serve.edge`. The model does not run: its answer is made beforehand and handed out
at once. So what is left is reading HTTP, parsing, options, limits, and writing the response. The
same bytes are then answered by an application of one line, on the same server: the difference is
what the edge adds to uvicorn. A second process asks.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import socket
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import uvicorn
import uvloop

from benches.serve.load import load
from veridical.serve import Gateway, Listen, Settings
from veridical.serve.app import Edge, GatewayApp
from veridical.serve.connections import ConnectionLimits, guarded
from veridical.serve.lanes import Answer

if TYPE_CHECKING:
    from multiprocessing.queues import Queue

    from starlette.types import ASGIApp, Receive, Scope, Send

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "vectors" / "program" / "example.vprog"
PATH = "/v2/models/example/infer"
BODY = json.dumps(
    {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [0.25, -1.5, 0.75]}]}
).encode()


def ask(port: int, connections: int, requests: int, results: Queue[dict[str, object]]) -> None:
    """Load the server from a process of its own."""
    results.put(asyncio.run(load(port, PATH, BODY, connections=connections, requests=requests)))


def measure(app: ASGIApp, *, connections: int, requests: int) -> dict[str, float]:
    """Serve in this process until the load ends; return its processor time for each request."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    with closing(socket.create_server(("127.0.0.1", 0), backlog=256)) as listener:
        port = listener.getsockname()[1]
        limits = ConnectionLimits()
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=guarded(limits),
                ws="none",
                loop="uvloop",
                log_level="error",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                lifespan="off",
            )
        )

        async def run() -> tuple[float, dict[str, Any]]:
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            while not server.started:  # noqa: ASYNC110 - of uvicorn
                await asyncio.sleep(0.01)
            spent = 0.0
            found: dict[str, Any] = {}
            for count in (requests // 10, requests):  # the first warms up
                asker = context.Process(target=ask, args=(port, connections, count, results))
                asker.start()
                begun = time.process_time()
                found = await asyncio.to_thread(results.get)
                spent = time.process_time() - begun
                asker.join()
            server.should_exit = True
            await serving
            return spent, found

        spent, found = uvloop.run(run())
    return {"us": spent / requests * 1e6, "per_second": found["per_second"]}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        gateway = Gateway(Settings(models=(EXAMPLE,), state=Path(folder), workers=0))
        bundle = b"r" * 2300  # the size of a receipt of one envelope
        outputs = {
            one.name: np.zeros((1, *one.shape)) for one in gateway.models["example"].program.outputs
        }
        answer = Answer(receipt_id="sha256:" + "0" * 64, bundle=bundle, outputs=outputs, cost=1000)

        async def at_once(*_: object, **__: object) -> tuple[Answer, int]:
            return answer, 1000

        gateway.answer = at_once  # type: ignore[method-assign]
        origins = Listen().origins(is_open=True)
        edge = GatewayApp(gateway, Edge(origins=origins))
        content = b"x" * 2600
        head = [(b"content-type", b"application/json"), (b"content-length", b"2600")]

        async def bare(scope: Scope, receive: Receive, send: Send) -> None:
            del scope
            await receive()
            await send({"type": "http.response.start", "status": 200, "headers": head})
            await send({"type": "http.response.body", "body": content})

        figures = {
            name: measure(app, connections=options.connections, requests=options.requests)
            for name, app in (("uvicorn", bare), ("edge", edge))
        }
        gateway.close()
    for name, one in figures.items():
        print(f"{name:8} {one['us']:7.1f} us of processor, {one['per_second']:7.0f} requests/s")
    print(f"the edge adds {figures['edge']['us'] - figures['uvicorn']['us']:.1f} us")


if __name__ == "__main__":
    main()
