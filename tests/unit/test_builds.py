from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from veridical import _core, builds
from veridical.builds import DEFAULT, FEATURES, VARIABLE, choose
from veridical.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

V4, V3 = FEATURES
OLD = {"sse4.2"}


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """Return a folder with a file for each build."""
    for name in FEATURES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "_core.abi3.so").touch()
    return tmp_path


def test_fastest_build_that_the_processor_runs_is_taken(wheel: Path) -> None:
    assert choose(FEATURES[V4] | OLD, wheel, None) == V4
    assert choose(FEATURES[V3] | OLD, wheel, None) == V3
    assert choose(OLD, wheel, None) == DEFAULT


@pytest.mark.parametrize("name", FEATURES)
def test_one_missing_feature_is_enough_to_leave_a_build_out(name: str, wheel: Path) -> None:
    slower = {V4: V3, V3: DEFAULT}
    for feature in FEATURES[name]:
        found = choose(FEATURES[name] - {feature}, wheel, None)
        assert found != name
        assert found in (DEFAULT, slower[name])


def test_each_level_needs_more_than_the_one_below() -> None:
    assert FEATURES[V3] < FEATURES[V4]


def test_extension_built_from_source_stands_alone(tmp_path: Path) -> None:
    assert choose(FEATURES[V4], tmp_path, None) == DEFAULT
    assert choose(FEATURES[V4], tmp_path, DEFAULT) == DEFAULT


def test_build_that_is_missing_is_passed_over(wheel: Path) -> None:
    (wheel / V4 / "_core.abi3.so").unlink()
    assert choose(FEATURES[V4], wheel, None) == V3
    with pytest.raises(InputError, match="is not here, or does not run"):
        choose(FEATURES[V4], wheel, V4)


def test_named_build_is_taken_or_refused_with_the_choice(wheel: Path) -> None:
    assert choose(FEATURES[V4], wheel, V3) == V3
    assert choose(FEATURES[V4], wheel, DEFAULT) == DEFAULT
    for asked in (V4, "", "x86-64-v9", "../../elsewhere"):
        with pytest.raises(InputError) as caught:
            choose(FEATURES[V3], wheel, asked)
        assert caught.value.where == VARIABLE
        assert caught.value.advice is not None
        assert f"{V3}, {DEFAULT}" in caught.value.advice


def test_processor_names_every_feature_that_a_build_may_need() -> None:
    # A name that the extension never gives would keep a fast build from ever being taken.
    known = set(_core.cpu_features())
    flags = cpu_flags()
    for feature in set().union(*FEATURES.values()):
        assert (feature in known) == (NAMES_IN_LINUX.get(feature, feature) in flags), feature


NAMES_IN_LINUX = {"lzcnt": "abm"}


def cpu_flags() -> set[str]:
    with open("/proc/cpuinfo", encoding="ascii") as file:  # noqa: PTH123 - a line at a time
        for line in file:
            if line.startswith("flags"):
                return set(line.partition(":")[2].split())
    return set()


def test_environment_names_the_build_and_a_wrong_name_stops_the_import() -> None:
    code = "from veridical import builds; print(builds.BUILD)"
    for asked, expected in ((DEFAULT, DEFAULT), ("no-such", "InputError")):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {VARIABLE: asked},
            capture_output=True,
            text=True,
            check=False,
        )
        assert expected in done.stdout + done.stderr
        assert (done.returncode == 0) == (asked == DEFAULT)


def test_build_in_use_is_one_of_those_that_there_are() -> None:
    assert builds.BUILD in (*FEATURES, DEFAULT)
