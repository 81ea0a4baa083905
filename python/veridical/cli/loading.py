"""Files that commands read: arrays, programs, policies put together from options."""

from __future__ import annotations

import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import veridical
from veridical.errors import InputError
from veridical.keys import PublicKey
from veridical.policy import AllOf, ExpectInput, ExpectOutput, Policy, TrustedSigners, load
from veridical.receipt import Program

__all__ = ["load_arrays", "load_policy", "load_program", "seconds_now"]


def load_arrays(path: Path | None) -> dict[str, NDArray[Any]] | None:
    """Read named arrays from an `.npz` file; never anything pickled.

    Raises:
        InputError: the file cannot be read as arrays.
    """
    if path is None:
        return None
    try:
        with np.load(path, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise InputError(
                    "one array without a name",
                    where=str(path),
                    advice="Save it as `numpy.savez(path, NAME=array)`, with the input's name.",
                )
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"cannot read arrays: {error}", where=str(path)) from error


def load_program(path: Path | None) -> Program | None:
    """Read and check a program file."""
    return None if path is None else veridical.load(path)


def load_policy(
    path: Path | None, signers: list[Path] | None, *, has_input: bool, has_output: bool
) -> Policy:
    """Return the policy of a file, of options, or of both; one of them is needed.

    What the caller passed to compare with must then match: a receipt that cannot be compared is not
    accepted.

    Raises:
        InputError: neither a policy nor a signer was given, or a file cannot be used.
    """
    rules: list[Policy] = []
    if path is not None:
        rules.append(load(path))
    if signers:
        rules.append(TrustedSigners(*(PublicKey.load(signer) for signer in signers)))
    if not rules:
        raise InputError(
            "there is no default policy",
            where="--policy, --signer",
            advice="Pass `--policy FILE.toml`, or `--signer KEY.pub` for whose word you accept.",
        )
    if has_input:
        rules.append(ExpectInput())
    if has_output:
        rules.append(ExpectOutput())
    return AllOf(*rules)


def seconds_now(now: int | None) -> int:
    """Return the given time, or the present second: a command has a clock, a verifier has none."""
    return int(time.time()) if now is None else now
