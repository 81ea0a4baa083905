"""Exit codes: stable numbers, and no failure that looks like a verdict."""

from __future__ import annotations

import pytest

from veridical import errors
from veridical.cli.exit_codes import ExitCode, exit_code_of


def test_numbers_are_stable() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "ACCEPTED": 0,
        "REJECTED": 1,
        "USAGE": 2,
        "UNDECIDED": 3,
        "INTERNAL": 4,
    }


@pytest.mark.parametrize("name", errors.__all__)
def test_no_error_of_the_tree_exits_as_accepted(name: str) -> None:
    cls = getattr(errors, name)
    error = cls("no form", "node", "Op") if name == "UnsupportedOpError" else cls("no")
    assert exit_code_of(error) is not ExitCode.ACCEPTED


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.MalformedError("x"), ExitCode.REJECTED),
        (errors.ProgramError("x"), ExitCode.REJECTED),
        (errors.CompileError("x"), ExitCode.USAGE),
        (errors.ProgramMissingError("x"), ExitCode.UNDECIDED),
        (errors.InternalError("x"), ExitCode.INTERNAL),
        (MemoryError(), ExitCode.INTERNAL),
        (ValueError("x"), ExitCode.INTERNAL),
    ],
    ids=lambda value: type(value).__name__,
)
def test_exit_code_of_each_kind(error: BaseException, code: ExitCode) -> None:
    assert exit_code_of(error) is code
