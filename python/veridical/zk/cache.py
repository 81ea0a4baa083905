"""Weight commitments that this user made before, kept on disk: a few hundred bytes for each model.

Only the root is kept: what a prover needs beside it is larger than the model and not read faster
than it is computed (spec/decisions/0015). A verifier that takes a root from here trusts whoever
wrote it, so an entry counts only with a code made with a secret of this user, which lies in
another folder: a cache that was restored, shared, mounted or sent along proves nothing to anybody.
Whatever is wrong with an entry, it is as if there were none.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from veridical import _core
from veridical.commitment import frame

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CACHE_VARIABLE", "RootCache"]

#: The environment variable that names another folder; empty for no cache.
CACHE_VARIABLE: Final = "VERIDICAL_CACHE"

_TAG: Final = b"veridical.weight-root.v1"
_SUFFIX: Final = ".root"
#: Entries, and what a writer that died left of one. The folder may be any, and hold other files.
_NAME: Final = re.compile(r"[0-9a-f]{64}-[a-z]+\.root(\.[0-9a-f]{16})?")
_HASH_BYTES: Final = 32
_ENTRY_BYTES: Final = len(_TAG) + 2 * _HASH_BYTES
_MAX_ENTRIES: Final = 1024
_FOREIGN: Final = stat.S_IWGRP | stat.S_IWOTH
_READABLE: Final = stat.S_IRWXG | stat.S_IRWXO
_FLAGS: Final = (
    getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
)


@dataclass(frozen=True, slots=True)
class RootCache:
    """Roots by model, profile and build of this package.

    `folder` holds the entries, `secret` is the file with what authenticates them; both are made
    when they are first needed, for this user alone.
    """

    folder: Path
    secret: Path

    @classmethod
    def default(cls) -> Self | None:
        """Return the user's cache; None if there is no home for it, or none is wanted."""
        try:
            home = Path.home()
        except RuntimeError:
            return None
        if not hasattr(os, "geteuid"):  # nothing to tell whose a file is
            return None
        chosen = os.environ.get(CACHE_VARIABLE)
        if chosen == "":
            return None
        cache = _base("XDG_CACHE_HOME", home / ".cache") / "veridical" / "roots"
        state = _base("XDG_STATE_HOME", home / ".local" / "state") / "veridical"
        return cls(cache if chosen is None else Path(chosen), state / "cache.key")

    def get(self, model_digest: bytes, profile: str) -> bytes | None:
        """Return the root, if this user has computed it with this build."""
        try:
            _require_own_folder(self.secret.parent)
            key = _read_own(self.secret, _HASH_BYTES, forbidden=_READABLE)
            _require_own_folder(self.folder)
            entry = _read_own(self._path(model_digest, profile), _ENTRY_BYTES, forbidden=_FOREIGN)
        except (OSError, ValueError):
            return None
        root, code = entry[len(_TAG) : -_HASH_BYTES], entry[-_HASH_BYTES:]
        expected = _code(key, model_digest, profile, root)
        is_ours = entry.startswith(_TAG) and hmac.compare_digest(code, expected)
        return root if is_ours else None

    def put(self, model_digest: bytes, profile: str, root: bytes) -> bool:
        """Keep a root that was computed just now; False if it could not be written."""
        try:
            key = self._key()
            _make_own_folder(self.folder)
            content = _TAG + root + _code(key, model_digest, profile, root)
            _write(self._path(model_digest, profile), content)
            self._evict()
        except (OSError, ValueError):
            return False
        return True

    def entries(self) -> list[Path]:
        """Return the files of the cache, the oldest first."""
        found = []
        with suppress(OSError):
            for path in self.folder.iterdir():
                if _NAME.fullmatch(path.name) is None:
                    continue
                with suppress(OSError):
                    found.append((path.lstat().st_mtime_ns, path))
        return [path for _, path in sorted(found)]

    def clear(self) -> int:
        """Remove all entries; how many there were. The secret stays."""
        return sum(_remove(path) for path in self.entries())

    def _path(self, model_digest: bytes, profile: str) -> Path:
        return self.folder / f"{model_digest.hex()}-{profile}{_SUFFIX}"

    def _key(self) -> bytes:
        _make_own_folder(self.secret.parent)
        with suppress(FileNotFoundError):
            return _read_own(self.secret, _HASH_BYTES, forbidden=_READABLE)
        with suppress(FileExistsError):
            _write(self.secret, secrets.token_bytes(_HASH_BYTES), replace=False)
        return _read_own(self.secret, _HASH_BYTES, forbidden=_READABLE)

    def _evict(self) -> None:
        for path in self.entries()[:-_MAX_ENTRIES]:
            _remove(path)


def _base(variable: str, default: Path) -> Path:
    """Return a folder of the XDG specification, which ignores relative paths."""
    chosen = Path(os.environ.get(variable) or default)
    return chosen if chosen.is_absolute() else default


def _code(key: bytes, model_digest: bytes, profile: str, root: bytes) -> bytes:
    content = frame(_TAG, model_digest, profile.encode(), root, *_build())
    return hmac.digest(key, content, hashlib.sha256)


def _build() -> Iterator[bytes]:
    """Tell builds apart: another one may commit in another way."""
    yield _core.__version__.encode()
    about = Path(_core.__file__).stat()
    yield about.st_size.to_bytes(8, "little")
    yield about.st_mtime_ns.to_bytes(16, "little", signed=True)


def _read_own(path: Path, size: int, *, forbidden: int) -> bytes:
    """Read a regular file of this user that has exactly this size.

    Raises:
        OSError: there is none, or it cannot be read.
        ValueError: it is another's, others may have written it, or it has another size.
    """
    descriptor = os.open(path, os.O_RDONLY | _FLAGS)
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        is_ours = stat.S_ISREG(about.st_mode) and about.st_uid == os.geteuid()
        if not is_ours or about.st_mode & forbidden:
            raise ValueError("not a file of this user alone")
        content = file.read(size + 1)
    if len(content) != size:
        raise ValueError("a file of another size")
    return content


def _make_own_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _require_own_folder(folder)


def _require_own_folder(folder: Path) -> None:
    about = folder.lstat()
    is_ours = stat.S_ISDIR(about.st_mode) and about.st_uid == os.geteuid()
    if not is_ours or about.st_mode & _FOREIGN:
        raise ValueError("not a folder of this user alone")


def _write(path: Path, content: bytes, *, replace: bool = True) -> None:
    """Write a file for this user alone: all of it or nothing, also when the power fails.

    Raises:
        FileExistsError: there is one already, and it is not to be replaced.
    """
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            temporary.replace(path)
        else:
            path.hardlink_to(temporary)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _remove(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    return True
