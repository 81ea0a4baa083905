"""`veridical serve` and `veridical apikey`: a gateway, and who may call it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from veridical.cli.console import emit, emit_json
from veridical.cli.exit_codes import ExitCode
from veridical.errors import InputError
from veridical.origins import is_loopback

if TYPE_CHECKING:
    from veridical.serve import Gateway
    from veridical.serve.storage import Store

__all__ = ["apikey", "serve"]

STATE = Path("veridical-state")

apikey = App(name="apikey", help="Make, list or take back keys of callers of a gateway.")


def serve(  # noqa: PLR0913 - the options of one command
    program: list[Path],
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    state: Path = STATE,
    database: str = "",
    key: Path | None = None,
    seed_key: Path | None = None,
    origin: str = "",
    log: bool = True,
    api_keys: Annotated[bool, Parameter(negative="")] = False,
    workers: int = 1,
    proof_batch: int = 64,
    security: Literal["standard", "strong"] = "standard",
    threads: int = 0,
    worker_threads: int = 0,
    cluster: str = "",
    tee: Literal["off", "auto", "simulator"] = "off",
    name: tuple[str, ...] = (),
    allow_origin: tuple[str, ...] = (),
    max_connections: int = 4096,
    access_log: Annotated[bool, Parameter(negative="")] = False,
) -> ExitCode:
    """Serve programs over HTTP; every answer carries a receipt.

    Parameters
    ----------
    program
        Program files; each is served under its file's name.
    host
        Where to listen. Only this machine may call without an API key.
    port
        Port to listen on.
    state
        Folder of keys, log and, unless another one is named, database.
    database
        URL of a PostgreSQL or SQLite database.
    key
        The key that signs receipts; one in the state folder is made if none is given.
    seed_key
        A key of its own for seeds, as `veridical key new` makes it: each receipt then states one.
    origin
        Name of the log, if it is made now.
    log
        Log an intent before each run, and what became of it after.
    api_keys
        Answer only callers with a key of `veridical apikey`.
    workers
        Processes that make proofs; 0 leaves the queue to others.
    proof_batch
        How many receipts of one caller are proven together at most.
    security
        standard: at least 100 bits of soundness of proofs; strong: 128.
    threads
        Threads of one run; 0 takes all cores.
    worker_threads
        Threads of one proof; 0 takes all cores, or one in a cluster.
    cluster
        Make proofs on a Ray cluster: auto, ray://HOST:10001 or HOST:6379. --workers are there.
    tee
        Sign with a key made at the start, for which a quote of this machine's hardware vouches:
        auto finds the hardware; simulator has none, and its receipts say SIMULATED.
    name
        A name under which it is asked, as in the header Host; may be given again. Without API keys
        only loopback addresses and these names are answered to.
    allow_origin
        Origin of a page that may ask it, such as http://localhost:3000; may be given again.
    max_connections
        How many connections may be open; the one that idles longest makes room for the next.
    access_log
        Write one line of JSON for each request to standard error.
    """
    if not api_keys and not is_loopback(host):
        raise InputError(
            f"{host} is open to others, and no API keys are asked for",
            advice="Pass --api-keys, and make a key with `veridical apikey new`.",
        )
    if not 1 <= port <= 65535:  # noqa: PLR2004 - ports
        raise InputError(f"--port {port}", advice="Give 1 to 65535.")
    if workers < 0 or threads < 0 or not 1 <= proof_batch <= 4096:  # noqa: PLR2004 - receipt.md 7.2
        raise InputError("--workers and --threads are 0 or more, --proof-batch is 1 to 4096")
    if worker_threads < 0:
        raise InputError("--worker-threads is 0 or more")
    from veridical import serve as serving

    if cluster:
        from veridical.serve.cluster import require_address

        require_address(cluster)
    settings = serving.Settings(
        models=tuple(program),
        state=state,
        database=database,
        key=key,
        seed_key=seed_key,
        origin=origin,
        is_logged=log,
        is_open=not api_keys,
        workers=workers,
        proof_batch=proof_batch,
        proof_profile=security,
        threads=threads,
        worker_threads=worker_threads,
        cluster=cluster,
        tee=tee,
    )

    def on_start(gateway: Gateway, address: str) -> None:
        for model in gateway.models.values():
            emit(f"model     {model.name}  {model.program.digest_hex}")
        emit(f"signer    {gateway.signer.public_key.key_id}")
        if gateway.log.vkey():
            emit(f"log       {gateway.log.vkey()}")
        if gateway.attested is not None:
            emit(f"hardware  {gateway.attested.description}")
        results, voids = gateway.recovered
        if results or voids:
            emit(f"recovered {results} results, {voids} voids")
        emit(f"serving   {address}")

    listen = serving.Listen(
        host=host,
        port=port,
        names=name,
        pages=allow_origin,
        max_connections=max_connections,
        has_access_log=access_log,
    )
    serving.serve(settings, listen, on_start=on_start)
    return ExitCode.ACCEPTED


@apikey.command
def new(
    name: str,
    *,
    state: Path = STATE,
    database: str = "",
    requests_per_second: int = 1000,
    units_per_second: int = 2_000_000,
    max_queued_proofs: int = 1000,
    operator: Annotated[bool, Parameter(negative="")] = False,
    may_share: Annotated[bool, Parameter(negative="")] = False,
) -> ExitCode:
    """Make a key and print its secret, which is kept nowhere.

    Parameters
    ----------
    name
        Whose key it is.
    state
        State folder of the gateway.
    database
        URL of its database, if it is another one.
    requests_per_second
        How many requests the caller may make.
    units_per_second
        How much work the caller may ask for, in units of price: microseconds of one processor.
    max_queued_proofs
        How many proofs the caller may have waiting.
    operator
        The caller sees the overview and the metrics of the gateway.
    may_share
        Receipts of the caller may be proven together with those of others, if it asks for that.
    """
    if requests_per_second < 1 or units_per_second < 1 or max_queued_proofs < 0:
        raise InputError("limits are positive")
    from veridical.serve.accounts import new_key

    store = _store(state, database)
    secret = new_key(
        store,
        name=name,
        requests_per_second=requests_per_second,
        max_queued_proofs=max_queued_proofs,
        units_per_second=units_per_second,
        is_operator=operator,
        may_share=may_share,
    )
    store.close()
    emit(secret)
    return ExitCode.ACCEPTED


@apikey.command(name="list")
def list_(*, state: Path = STATE, database: str = "") -> ExitCode:
    """List the keys, without their secrets.

    Parameters
    ----------
    state
        State folder of the gateway.
    database
        URL of its database, if it is another one.
    """
    store = _store(state, database)
    emit_json(
        {
            key.key_id: {
                "name": key.name,
                "requests_per_second": key.requests_per_second,
                "units_per_second": key.units_per_second,
                "max_queued_proofs": key.max_queued_proofs,
                "is_operator": key.is_operator,
                "may_share": key.may_share,
                "is_revoked": key.revoked_at is not None,
            }
            for key in store.callers()
        }
    )
    store.close()
    return ExitCode.ACCEPTED


@apikey.command
def revoke(key_id: str, *, state: Path = STATE, database: str = "") -> ExitCode:
    """Take a key back; a running gateway follows within seconds.

    Parameters
    ----------
    key_id
        Id of the key, as listed.
    state
        State folder of the gateway.
    database
        URL of its database, if it is another one.
    """
    store = _store(state, database)
    is_done = store.revoke_key(key_id)
    store.close()
    if not is_done:
        raise InputError(f"no key {key_id!r} is in use")
    return ExitCode.ACCEPTED


def _store(state: Path, database: str) -> Store:
    from veridical.serve import Settings
    from veridical.serve.state import make_folder
    from veridical.serve.storage import Store

    make_folder(state)
    return Store(Settings(models=(), state=state, database=database).database_url)
