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
_CONNECTIONS = 128


def proxy(  # noqa: PLR0913 - the options of one command
    url: str,
    *,
    policy: Path,
    program: Annotated[list[Path] | None, Parameter(negative="")] = None,
    port: int = 8081,
    logged: Annotated[bool, Parameter(negative="")] = False,
    heads: Path | None = None,
    keep: Path | None = None,
    allow_origin: Annotated[list[str] | None, Parameter(negative="")] = None,
    timeout: float = 60.0,
) -> ExitCode:
    """Pass on answers of a gateway that verify, and errors in place of all others.

    It listens on this machine only, and answers no page of another site. The API key, if there is
    one, is taken from the variable VERIDICAL_API_KEY. One line for each answer is on stderr.

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
    heads
        Remember checkpoints of logs in this folder; else as long as the proxy runs.
    keep
        Keep the receipt of each answer that is passed on in this folder.
    allow_origin
        Origin of a page, such as https://page.example, that may ask through a browser; may be
        repeated.
    timeout
        How long an answer may take, in seconds, without its proof.
    """
    import uvicorn

    from veridical.client import AsyncClient, FolderHeads, Trust
    from veridical.client.proxy import ProxyOptions, make_proxy

    if timeout <= 0:
        raise InputError(f"--timeout {timeout:g}", advice="Give more than 0 seconds.")
    if keep is not None:
        try:
            keep.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make the folder: {error.strerror}", str(keep)) from error
    programs = {path.name.removesuffix(".vprog"): veridical.load(path) for path in program or []}
    client = AsyncClient(
        url,
        Trust(policy=policies.load(policy), programs=programs),
        api_key=os.environ.get(_KEY_VARIABLE),
        timeout=timeout,
        heads=None if heads is None else FolderHeads(heads),
    )
    options = ProxyOptions(is_logged=logged, keep=keep, pages=tuple(allow_origin or ()))
    emit(f"proxy     http://{_HOST}:{port} for {url}")
    with suppress(KeyboardInterrupt):  # the usual way to stop it
        uvicorn.run(
            make_proxy(client, options),
            host=_HOST,
            port=port,
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=_CONNECTIONS,
            timeout_keep_alive=30,
        )
    return ExitCode.ACCEPTED
