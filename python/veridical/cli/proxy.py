"""`veridical proxy`: verified answers for a client that knows nothing of receipts."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

import veridical
from veridical import policy as policies
from veridical.cli.console import emit
from veridical.cli.exit_codes import ExitCode
from veridical.errors import InputError

__all__ = ["proxy"]

_HOST = "127.0.0.1"
_KEY_VARIABLE = "VERIDICAL_API_KEY"


def proxy(
    url: str,
    *,
    policy: Path,
    program: Annotated[list[Path] | None, Parameter(negative="")] = None,
    port: int = 8081,
    logged: Annotated[bool, Parameter(negative="")] = False,
) -> ExitCode:
    """Pass on answers of a gateway that verify, and errors in place of all others.

    It listens on this machine only. The API key, if there is one, is taken from the variable
    VERIDICAL_API_KEY.

    Parameters
    ----------
    url
        The gateway.
    policy
        What is asked of receipts (TOML).
    program
        Programs to verify with, each under the name of its file.
    port
        Port to listen on.
    logged
        Fetch log proofs with each receipt, for a policy that asks for them.
    """
    if not url.startswith(("http://", "https://")):
        raise InputError(f"not the address of a gateway: {url!r}")
    import uvicorn

    from veridical.client import AsyncClient, Trust
    from veridical.client.proxy import make_proxy

    programs = {path.name.removesuffix(".vprog"): veridical.load(path) for path in program or []}
    trust = Trust(policy=policies.load(policy), programs=programs)
    client = AsyncClient(url, trust, api_key=os.environ.get(_KEY_VARIABLE))
    emit(f"proxy     http://{_HOST}:{port} for {url}")
    with suppress(KeyboardInterrupt):  # the usual way to stop it
        uvicorn.run(
            make_proxy(client, is_logged=logged),
            host=_HOST,
            port=port,
            log_level="warning",
            access_log=False,
            server_header=False,
        )
    return ExitCode.ACCEPTED
