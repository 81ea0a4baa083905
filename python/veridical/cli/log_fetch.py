"""`veridical log fetch`: a copy of a log that is served over HTTP, to check and to follow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from veridical import tlog
from veridical.cli.exit_codes import ExitCode
from veridical.cli.log_cosigning import show_values
from veridical.errors import InputError

__all__ = ["fetch"]

Flag = Parameter(negative="")


def fetch(
    url: str,
    folder: Path,
    *,
    log_key: str,
    cosigner_key: Annotated[list[str] | None, Flag] = None,
    min_cosigners: int | None = None,
    json: Annotated[bool, Flag] = False,
) -> ExitCode:
    """Copy a log that is served over HTTP, or bring a copy up to date, for `fsck` and `audit`.

    What is in the copy already must be the beginning of the log. If it is not, the log was forked
    or rolled back, and the checkpoint that does not fit is kept in `.state`.

    Parameters
    ----------
    url
        Where its files are; those of a gateway are below `/log`.
    folder
        The copy.
    log_key
        The vkey of the log, as you know it.
    cosigner_key
        The vkey of a cosigner that you trust; may be repeated.
    min_cosigners
        How many of them must have signed its latest cosigned checkpoint; all if it is not given.
    json
        Print data only.
    """
    from veridical.online.mirror import fetch_log

    cosigners = [tlog.NoteKey.from_vkey(vkey) for vkey in cosigner_key or ()]
    count = len(cosigners) if min_cosigners is None else min_cosigners
    if not 0 <= count <= len(cosigners):
        raise InputError(f"{count} cosigners of {len(cosigners)} that are named")
    fetched = fetch_log(
        url, folder, tlog.NoteKey.from_vkey(log_key), cosigners=cosigners, min_cosigners=count
    )
    cosigned = 0 if fetched.cosigned is None else fetched.cosigned.size
    show_values(
        {"size": fetched.head.size, "was": fetched.old_size, "cosigned": cosigned}, json=json
    )
    return ExitCode.ACCEPTED
