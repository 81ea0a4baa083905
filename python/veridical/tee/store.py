"""Collateral that a verifier keeps: a folder of items, each as a bundle of one.

Spec: spec/v1/tee.md, section 6. The store never goes back: what replaces an item is at least as
new.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from veridical.errors import InputError
from veridical.tee.authentic import require_authentic
from veridical.tee.collateral import BUNDLE_MAX_BYTES, Collateral
from veridical.tee.quote import refused
from veridical.tee.rollback import age_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from veridical.tee.collateral import CollateralItem

__all__ = ["STORE_VARIABLE", "Store"]

#: Names the folder; empty: nothing is kept.
STORE_VARIABLE: Final = "VERIDICAL_COLLATERAL"
_SUFFIX: Final = ".collateral.json"
_MAX_FILES: Final = 4096


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of collateral."""

    folder: Path

    @classmethod
    def default(cls) -> Self:
        """Return the user's store.

        Raises:
            InputError: there is no home for it.
        """
        chosen = os.environ.get(STORE_VARIABLE)
        if chosen:
            return cls(Path(chosen))
        data = os.environ.get("XDG_DATA_HOME")
        try:
            base = Path(data) if data else Path.home() / ".local" / "share"
        except RuntimeError as error:
            raise InputError(f"no folder for collateral: {error}", STORE_VARIABLE) from error
        return cls(base / "veridical" / "collateral")

    def load(self) -> Collateral:
        """Return everything that is kept; a store that was never used is empty.

        Raises:
            InputError: a file cannot be read.
            QuoteError: a file in it is no item.
        """
        return Collateral.of(self._items())

    def _items(self) -> Iterator[CollateralItem]:
        if not self.folder.is_dir():
            return
        paths = sorted(self.folder.glob(f"*{_SUFFIX}"))
        if len(paths) > _MAX_FILES:
            raise InputError(f"more than {_MAX_FILES} items", where=str(self.folder))
        for path in paths:
            try:
                with path.open("rb") as file:
                    content = file.read(BUNDLE_MAX_BYTES + 1)
            except OSError as error:
                raise InputError(f"cannot read collateral: {error}", str(path)) from error
            yield from Collateral.from_bytes(content)

    def add(self, items: Iterable[CollateralItem]) -> list[tuple[CollateralItem, bool]]:
        """Keep items, all or none; return each with whether it is new here.

        Raises:
            QuoteError: one is older than what is kept (`tee.rollback`), or not its maker's.
            InputError: the folder cannot be written.
        """
        kept = self.load()
        offered = Collateral.of(items)
        around = offered.or_from(kept)
        for item in offered:
            require_authentic(item, around)
            _require_not_older(item, kept)
        return [(item, self._put(item, kept)) for item in offered]

    def _put(self, item: CollateralItem, kept: Collateral) -> bool:
        if kept.find(item.kind, item.subject) == item.content:
            return False
        name = hashlib.sha256(f"{item.kind.value}\n{item.subject}".encode()).hexdigest()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, delete=False) as file:
                file.write(Collateral((item,)).to_bytes())
                file.flush()
                os.fsync(file.fileno())
            Path(file.name).replace(self.folder / f"{name}{_SUFFIX}")
        except OSError as error:
            raise InputError(f"cannot keep collateral: {error}", str(self.folder)) from error
        return True


def _require_not_older(item: CollateralItem, kept: Collateral) -> None:
    content = kept.find(item.kind, item.subject)
    if content is None or content == item.content:
        return
    ours = age_of(type(item)(item.kind, item.subject, content))
    theirs = age_of(item)
    if theirs < ours:
        raise refused(
            "rollback",
            f"it is older than what is kept: evaluation {theirs.evaluation}, issued at "
            f"{theirs.issued}; kept: {ours.evaluation}, {ours.issued}",
            f"{item.kind.value} {item.subject}",
        )
