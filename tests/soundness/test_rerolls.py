"""A hundred answers to one question: nothing is gained off the log, all is seen on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from attacks.rerolls import RETRIES, off_the_log, on_the_log, with_seeds_of_its_own
from attacks.seeded import seeded_scene

if TYPE_CHECKING:
    from pathlib import Path


def test_seeds_of_its_own_give_a_provider_what_it_wants() -> None:
    # Otherwise the tests below would show nothing.
    free = with_seeds_of_its_own(seeded_scene())
    assert free.seeds == RETRIES
    assert len(free.answers) == 2


def test_off_the_log_every_retry_gives_the_same_seed() -> None:
    off = off_the_log(seeded_scene())
    assert off.seeds == 1
    assert list(off.answers.values()) == [RETRIES]


@pytest.mark.parametrize("hide", ["void", "open", "result", "streams"])
@pytest.mark.parametrize("mode", ["vrf", "vrf+beacon"])
def test_on_the_log_every_retry_is_seen(
    tmp_path: Path,
    mode: Literal["vrf", "vrf+beacon"],
    hide: Literal["void", "open", "result", "streams"],
) -> None:
    shown = on_the_log(seeded_scene(), tmp_path / "log", mode=mode, hide=hide)
    assert shown.intents_of_the_question == RETRIES
    hidden = RETRIES - 1
    assert shown.repeated == len(shown.report.findings) == hidden
    streams = list(shown.report.streams.values())
    assert len(streams) == (RETRIES if hide == "streams" else 1)
    assert len(streams[0].open_intents) == (hidden if hide == "open" else 0)
    assert streams[0].void_rate == (hidden / RETRIES if hide == "void" else 0)
    # Only the beacon's rounds differ, and there the retries are worth something: hence the log.
    assert shown.rerolls.seeds == (1 if mode == "vrf" else RETRIES)
    assert len(shown.rerolls.answers) == (1 if mode == "vrf" else 2)
