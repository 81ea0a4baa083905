"""The state folder: for its owner alone, for one gateway, and whole after a start that was cut."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from tests.unit.serve.conftest import EXAMPLE
from veridical import keys
from veridical.errors import InputError
from veridical.serve import Gateway, Settings
from veridical.serve.state import StateFolder

if TYPE_CHECKING:
    from pathlib import Path


def settings(state: Path) -> Settings:
    return Settings(models=(EXAMPLE,), state=state, workers=0)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    state = tmp_path / "deep" / "state"
    Gateway(settings(state)).close()
    assert mode(state) == 0o700
    for secret in ("gateway.sqlite", "receipts.key", "log.key"):
        assert mode(state / secret) == 0o600, secret


def test_a_folder_of_the_operator_keeps_its_rights_and_the_database_is_closed(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o755)
    Gateway(settings(state)).close()
    assert mode(state) == 0o755
    assert mode(state / "gateway.sqlite") == 0o600


def test_two_gateways_do_not_share_a_folder(tmp_path: Path) -> None:
    first = Gateway(settings(tmp_path))
    with pytest.raises(InputError, match="another gateway"):
        Gateway(settings(tmp_path))
    assert first.problem() == ""
    first.close()
    Gateway(settings(tmp_path)).close()


@pytest.mark.parametrize("cut", ["key", "public", "log", "log_made", "database", "all"])
def test_a_first_start_that_was_cut_short_is_followed_by_one_that_goes_on(
    tmp_path: Path, cut: str
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    if cut in {"key", "all"}:
        (state / "receipts.key.new").write_bytes(b"-----BEGIN PRIV")
    if cut in {"public", "all"}:
        keys.generate().save(state / "log.key")
        (state / "log.pub").write_bytes(b"-----BEGIN")
    if cut in {"log", "all"}:
        (state / "log.new" / ".state").mkdir(parents=True)
        (state / "log.new" / "checkpoint").write_bytes(b"veridical.lo")
    if cut == "log_made":  # whole, and not in its place yet
        folder = StateFolder(state)
        folder.log(folder.key("log"), origin="log.example").rename(state / "log.new")
        folder.close()
    if cut in {"database", "all"}:
        (state / "gateway.sqlite").touch()
    Gateway(settings(state)).close()
    gateway = Gateway(settings(state))
    assert gateway.problem() == ""
    gateway.close()
    assert not list(state.glob("*.new"))
    for name in ("receipts", "log"):
        private = keys.PrivateKey.load(state / f"{name}.key")
        assert keys.PublicKey.load(state / f"{name}.pub") == private.public_key


def test_a_start_that_fails_gives_the_folder_back(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        Gateway(Settings(models=(EXAMPLE,), state=tmp_path, workers=0, database="mysql://none"))
    Gateway(settings(tmp_path)).close()
