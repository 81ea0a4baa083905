"""The folder of a gateway: its keys, its log, and its database unless another one is named.

Everything in it comes into being in one step, so that a first start that was cut short at any
moment is followed by one that goes on.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from typing import TYPE_CHECKING, Final

from veridical import keys, tlog
from veridical.errors import InputError
from veridical.tlog.storage import sync_file, sync_folder

if TYPE_CHECKING:
    from pathlib import Path

    from veridical.keys import PrivateKey, Signer

__all__ = ["StateFolder", "database_url", "make_folder"]

_DATABASE: Final = "gateway.sqlite"
_LOG: Final = "log"
_LOCK: Final = "lock"


class StateFolder:
    """A folder that one gateway uses, until it is closed."""

    def __init__(self, path: Path) -> None:
        """Make the folder on the first start, and lock it.

        Raises:
            InputError: it cannot be made, or another gateway uses it.
        """
        make_folder(path)
        self.path = path
        self._lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise InputError(
                "another gateway uses this state folder",
                where=str(path),
                advice="End it, or name another folder with --state.",
            ) from error

    def close(self) -> None:
        """Let another gateway use it."""
        os.close(self._lock)

    def key(self, name: str) -> PrivateKey:
        """Load a key of this gateway, or make it."""
        path = self.path / f"{name}.key"
        if not path.exists():
            new = path.with_suffix(".key.new")
            new.unlink(missing_ok=True)
            keys.generate().save(new)
            sync_file(new)
            new.rename(path)
            sync_folder(self.path)
        private = keys.PrivateKey.load(path)
        public = path.with_suffix(".pub")
        if not public.exists() or public.read_bytes() != private.public_key.to_pem():
            public.unlink(missing_ok=True)
            private.public_key.save(public)
        return private

    def log(self, signer: Signer, *, origin: str) -> Path:
        """Return the folder of the log, which is made if there is none."""
        folder = self.path / _LOG
        if not folder.exists():
            new = self.path / f"{_LOG}.new"
            shutil.rmtree(new, ignore_errors=True)
            tlog.Writer.create(new, origin=origin, signer=signer)
            sync_folder(new)
            new.rename(folder)
            sync_folder(self.path)
        return folder


def make_folder(path: Path) -> None:
    """Make a folder that only its owner may enter; one that is there keeps its rights.

    Raises:
        InputError: it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
        # Questions are in there in the clear, whatever the rights of a folder that was there.
        os.close(os.open(path / _DATABASE, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise InputError(f"cannot make the folder: {error.strerror}", where=str(path)) from error


def database_url(path: Path) -> str:
    """Return the URL of the database in a folder."""
    return f"sqlite:///{(path / _DATABASE).absolute()}"
