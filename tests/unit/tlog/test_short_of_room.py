"""A writer that is short of descriptors or room: it waits, or fails one batch and goes on."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.tlog.logs import LOG_SIGNER, draft, make_log
from veridical.errors import LogError
from veridical.tlog import Writer, fsck
from veridical.tlog import storage as files

if TYPE_CHECKING:
    from pathlib import Path


def failing(call: Any, number: int, *, times: int, after: int = 0) -> Any:
    """Return a call that fails so often; a write first writes a part."""
    left = [after, times]

    def instead(*arguments: Any) -> Any:
        if left[0]:
            left[0] -= 1
            return call(*arguments)
        if left[1]:
            left[1] -= 1
            raise OSError(number, os.strerror(number))
        return call(*arguments)

    return instead


class _Os:
    """The module `os` of the writer's files, with one call replaced."""

    def __init__(self, **calls: Any) -> None:
        self.__dict__.update(calls)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOSPC])
def test_what_is_short_for_a_moment_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    log = make_log(tmp_path / "log")
    with Writer(log.folder, LOG_SIGNER) as writer:
        monkeypatch.setattr(files, "os", _Os(open=failing(os.open, number, times=2)))
        writer.append(draft())
        monkeypatch.undo()
        writer.append(draft())
        assert writer.problem() == ""
    assert fsck(log).size == 2


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_journal_without_room_fails_one_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def half(descriptor: int, content: Any) -> int:
        if len(content) > 100:
            return os.write(descriptor, content[: len(content) // 2])
        raise OSError(number, os.strerror(number))

    log = make_log(tmp_path / "log")
    with Writer(log.folder, LOG_SIGNER) as writer:
        writer.append(draft())
        monkeypatch.setattr(files, "os", _Os(write=half))
        with pytest.raises(LogError):
            writer.append(draft())
        monkeypatch.undo()
        assert writer.problem() == ""
        assert writer.append(draft()).index == 1
    assert fsck(log).size == 2
    with Writer(log.folder, LOG_SIGNER) as writer:
        assert writer.append(draft()).index == 2


def test_a_journal_that_cannot_be_synced_ends_the_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = make_log(tmp_path / "log")
    with Writer(log.folder, LOG_SIGNER) as writer:
        writer.append(draft())
        monkeypatch.setattr(files, "os", _Os(fdatasync=failing(os.fdatasync, errno.EIO, times=1)))
        with pytest.raises(LogError):
            writer.append(draft())
        monkeypatch.undo()
        assert "Input/output" in writer.problem()
        with pytest.raises(LogError):
            writer.append(draft())


def test_a_group_has_its_errors_in_their_places(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log")
    with Writer(log.folder, LOG_SIGNER) as writer:
        first = writer.append(draft())
        result = files_result(first.index, "1")
        outcomes = writer.append_all(
            [result, files_result(first.index, "2"), draft(), files_result(99, "3"), draft()]
        )
        kinds = [type(one).__name__ for one in outcomes]
        assert kinds == ["Appended", "InputError", "Appended", "InputError", "Appended"]
        twice = writer.append_all([files_result(2, "1"), files_result(2, "4")])
        assert [type(one).__name__ for one in twice] == ["InputError", "Appended"]
    assert fsck(log).size == 5


def files_result(intent: int, digit: str) -> Any:
    from veridical.tlog import Result

    return Result(intent=intent, statement=f"sha256:{digit * 64}", time=1)
