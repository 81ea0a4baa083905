"""`veridical log cosign` and `veridical log cosigner`: collect cosignatures, and give them."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from veridical import keys, tlog
from veridical.cli.console import emit, emit_json, print_error
from veridical.cli.exit_codes import ExitCode
from veridical.errors import CheckpointError, InputError

__all__ = ["cosign", "cosigner", "show_values"]

Flag = Parameter(negative="")
MAX_PAUSE_SECONDS = 86_400

cosigner = App(name="cosigner", help="Cosign the logs of others.")


def show_values(value: dict[str, object], *, json: bool) -> None:
    """Print names and values, or JSON."""
    if json:
        emit_json(value)
        return
    for name, item in value.items():
        emit(f"{name:<9} {item}")


def cosign(  # noqa: PLR0913 - one option for each part of either way
    folder: Path,
    *,
    witness: Annotated[list[str] | None, Flag] = None,
    cosigner_key: Annotated[list[str] | None, Flag] = None,
    min_cosigners: int | None = None,
    name: str | None = None,
    key: Path | None = None,
    log_key: str | None = None,
    state: Path | None = None,
    last: Annotated[bool, Flag] = False,
    every: float | None = None,
    json: Annotated[bool, Flag] = False,
) -> ExitCode:
    """Have the present checkpoint of a log cosigned, and publish it in the log.

    Either by cosigners that are asked over HTTP, with --witness and --cosigner-key, or by one on
    this machine, with --name, --key, --log-key and --state.

    Parameters
    ----------
    folder
        The log.
    witness
        Address of a cosigner's service; may be repeated.
    cosigner_key
        The vkey of a cosigner that is asked; may be repeated.
    min_cosigners
        How many of them must sign before anything is published; all of them if it is not given.
    name
        A cosigner's name, a URL without scheme, such as witness.example/w1.
    key
        The cosigner's private key, Ed25519. It is not the log's.
    log_key
        The vkey of the log, as you know it from elsewhere.
    state
        Where the cosigner remembers what it signed. Whoever loses it may sign a fork.
    last
        Cosign the checkpoint that another cosigner signed last, so that one has the signatures of
        both while the log grows.
    every
        With --witness: go on, and collect again every so many seconds if the log has grown.
    json
        Print data only.
    """
    if every is not None and not 0 < every <= MAX_PAUSE_SECONDS:
        raise InputError(f"--every {every:g}", advice="Give seconds, at most a day.")
    local = (name, key, log_key, state)
    if witness and all(option is None for option in local) and not last:
        named = [tlog.NoteKey.from_vkey(vkey) for vkey in cosigner_key or []]
        asked = _Asked(folder, witness, named, min_cosigners)
        return asked.once(json=json) if every is None else asked.forever(every, json=json)
    if (
        every is not None
        or name is None
        or key is None
        or log_key is None
        or state is None
        or witness
        or cosigner_key
    ):
        raise InputError(
            "either --witness and --cosigner-key, or --name, --key, --log-key and --state"
        )
    log = tlog.Log.open(folder, key=tlog.NoteKey.from_vkey(log_key))
    one = _cosigner(name, key, [log.key], state)
    try:
        published = tlog.add_cosignatures(log, one, head=log.cosigned() if last else None)
    finally:
        one.close()
    show_values({"size": published.size, "vkey": one.key.vkey}, json=json)
    return ExitCode.ACCEPTED


class _Asked:
    """Cosigners that are asked for the heads of one log."""

    def __init__(
        self, folder: Path, urls: list[str], named: list[tlog.NoteKey], count: int | None
    ) -> None:
        from veridical.online.witness import Witness

        self._log = tlog.Log.open(folder)
        self._witnesses = [Witness(url, named) for url in urls]
        self._named = named
        self._count = count

    def once(self, *, json: bool) -> ExitCode:
        """Collect for the present head."""
        from veridical.online.witness import collect

        collected = collect(self._log, self._witnesses, self._named, at_least=self._count)
        failures = {url: error.message for url, error in collected.failures.items()}
        show_values(
            {
                "size": collected.head.size,
                "cosigners": collected.num_cosigners,
                **({"failures": failures} if json or failures else {}),
            },
            json=json,
        )
        return ExitCode.ACCEPTED

    def forever(self, seconds: float, *, json: bool) -> ExitCode:
        """Collect whenever the log has grown, until a signal; too few answers are tried again."""
        with suppress(KeyboardInterrupt):
            while True:
                cosigned = self._log.cosigned()
                if cosigned is None or cosigned.size < self._log.head().size:
                    try:
                        self.once(json=json)
                    except CheckpointError as error:  # a fork, which does not heal, is none
                        print_error(error, is_json=False)
                time.sleep(seconds)
        return ExitCode.ACCEPTED


@cosigner.command
def serve(
    *,
    name: str,
    key: Path,
    log_key: Annotated[list[str], Flag],
    state: Path,
    host: str = "127.0.0.1",
    port: int = 8090,
) -> ExitCode:
    """Serve `POST /add-checkpoint` of c2sp.org/tlog-witness for the logs that are named.

    Parameters
    ----------
    name
        The cosigner's name, a URL without scheme, such as witness.example/w1.
    key
        The cosigner's private key, Ed25519.
    log_key
        The vkey of a log, as you know it from elsewhere; may be repeated.
    state
        Where it remembers what it signed. Whoever loses it may sign a fork.
    host
        Where to listen. A TLS proxy in front of it is for whoever wants the requests private; the
        signatures need none.
    port
        Port to listen on.
    """
    import uvicorn

    from veridical.online.service import make_service

    one = _cosigner(name, key, [tlog.NoteKey.from_vkey(vkey) for vkey in log_key], state)
    emit(one.key.vkey)
    try:
        with suppress(KeyboardInterrupt):  # the usual way to stop it
            uvicorn.run(
                make_service(one),
                host=host,
                port=port,
                log_level="warning",
                access_log=False,
                server_header=False,
                limit_concurrency=256,
                timeout_keep_alive=30,
            )
    finally:
        one.close()
    return ExitCode.ACCEPTED


def _cosigner(name: str, key: Path, logs: list[tlog.NoteKey], state: Path) -> tlog.Cosigner:
    signer = keys.PrivateKey.load(key)
    if any(signer.public_key == log.key for log in logs):
        raise InputError("a log does not cosign itself", where=str(key))
    return tlog.Cosigner(state, name=name, signer=signer, logs=logs)
