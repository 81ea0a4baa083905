"""The trusted time, as it is given on a command line.

It is the caller's: the time of a log or a timestamp, or the own clock for evidence that just came.
"""

from __future__ import annotations

from datetime import UTC, datetime

from veridical.errors import InputError

__all__ = ["trusted_time"]


def trusted_time(text: str | None) -> int | None:
    """Read a trusted time from the command line.

    Raises:
        InputError: it is none.
    """
    if text is None:
        return None
    if text == "now":
        return int(datetime.now(tz=UTC).timestamp())
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"not a time: {text[:40]!r}", where="--at") from error
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
