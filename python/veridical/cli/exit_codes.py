"""Exit codes of every command, in one place."""

from __future__ import annotations

from enum import IntEnum

from veridical import errors

__all__ = ["ExitCode", "exit_code_of"]


class ExitCode(IntEnum):
    """What the shell sees. Scripts may rely on these numbers."""

    ACCEPTED = 0
    REJECTED = 1
    USAGE = 2
    UNDECIDED = 3
    INTERNAL = 4


def exit_code_of(error: BaseException) -> ExitCode:
    """Return the exit code that an error stands for.

    What is not of this package's hierarchy is an internal failure, never mistaken for a verdict.
    """
    if isinstance(error, errors.VerificationError | errors.ProgramError):
        return ExitCode.REJECTED
    if isinstance(error, errors.InputError):
        return ExitCode.USAGE
    if isinstance(error, errors.UndecidedError):
        return ExitCode.UNDECIDED
    return ExitCode.INTERNAL
