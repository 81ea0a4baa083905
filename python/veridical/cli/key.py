"""`veridical key`: make a signing key, show a key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from veridical import keys
from veridical.cli.console import emit, emit_json
from veridical.cli.exit_codes import ExitCode
from veridical.errors import InputError

__all__ = ["app"]

app = App(name="key", help="Make a signing key, or show one.")


@app.command
def new(
    name: Path,
    *,
    algorithm: Literal["ed25519", "p256"] = "ed25519",
    json: Annotated[bool, Parameter(negative="")] = False,
) -> ExitCode:
    """Make a key: NAME.key, which only you may read, and NAME.pub, for those who verify.

    Parameters
    ----------
    name
        Path without suffix. An existing file is never overwritten.
    algorithm
        Ed25519, or P-256 where hardware asks for it.
    json
        Print data only.
    """
    private_path, public_path = (
        name.with_name(name.name + ".key"),
        name.with_name(name.name + ".pub"),
    )
    if public_path.exists():
        raise InputError("cannot write the key: the file exists", where=str(public_path))
    private = keys.generate(algorithm)
    private.save(private_path)
    private.public_key.save(public_path)
    _show(private.public_key, json=json, private=str(private_path), public=str(public_path))
    return ExitCode.ACCEPTED


@app.command
def show(path: Path, *, json: Annotated[bool, Parameter(negative="")] = False) -> ExitCode:
    """Show the id of a public key, or of the public half of a private one.

    Parameters
    ----------
    path
        A key file in PEM.
    json
        Print data only.
    """
    content = keys.read_key_file(path)
    is_private = b"PRIVATE KEY" in content
    key = keys.PrivateKey.load(path).public_key if is_private else keys.PublicKey.load(path)
    _show(key, json=json)
    return ExitCode.ACCEPTED


def _show(key: keys.PublicKey, *, json: bool, **files: str) -> None:
    if json:
        emit_json({"algorithm": key.algorithm, "key_id": key.key_id, **files})
        return
    emit(f"key id     {key.key_id}")
    emit(f"algorithm  {key.algorithm}")
    for kind, path in files.items():
        emit(f"{kind:<10} {path}")
