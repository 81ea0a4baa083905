"""Load on a gateway, from one process over kept connections: requests per second and latencies.

`python -m benches.serve.load PORT PATH BODY --connections 16 --requests 10000`. Raw sockets, so
that the loader takes as little as it can of the processors that it shares with the server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path

import numpy as np


async def connection(
    port: int, request: bytes, count: int, times: list[float], statuses: dict[str, int]
) -> None:
    """Send requests one after the other on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(count):
        start = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        status = lines[0].split(b" ")[1].decode()
        length = next(
            int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length")
        )
        await reader.readexactly(length)
        times.append(time.perf_counter() - start)
        statuses[status] = statuses.get(status, 0) + 1
    writer.close()


async def load(
    port: int, path: str, body: bytes, *, connections: int, requests: int
) -> dict[str, object]:
    """Return what was measured."""
    request = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    times: list[float] = []
    statuses: dict[str, int] = {}
    start, processor = time.perf_counter(), time.process_time()
    await asyncio.gather(
        *(
            connection(port, request, requests // connections, times, statuses)
            for _ in range(connections)
        )
    )
    seconds = time.perf_counter() - start
    milliseconds = 1000 * np.array(times)
    return {
        "requests": len(times),
        "per_second": round(len(times) / seconds, 1),
        "p50_ms": round(float(np.percentile(milliseconds, 50)), 2),
        "p99_ms": round(float(np.percentile(milliseconds, 99)), 2),
        "statuses": statuses,
        "loader_processor_seconds": round(time.process_time() - processor, 2),
    }


def main() -> None:
    """Load a server on this machine and print what was measured as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("body", type=Path)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--requests", type=int, default=10_000)
    options = parser.parse_args()
    measured = asyncio.run(
        load(
            options.port,
            options.path,
            options.body.read_bytes(),
            connections=options.connections,
            requests=options.requests,
        )
    )
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
