"""The error tree: complete, picklable, and each class says what to do."""

from __future__ import annotations

import copy
import pickle

import pytest

from veridical import errors


def all_classes() -> list[type[errors.Error]]:
    return [getattr(errors, name) for name in errors.__all__]


def build(cls: type[errors.Error]) -> errors.Error:
    if cls is errors.UnsupportedOpError:
        return errors.UnsupportedOpError("no integer form", "node_7", "Einsum")
    return cls("expected 3, actual 4", "field x", "shape", "pass 3 values")


def test_tree_in_the_docstring_is_the_tree_of_classes() -> None:
    assert errors.__doc__ is not None
    drawn: dict[str, str] = {}
    stack: list[tuple[int, str]] = []
    for line in errors.__doc__.splitlines():
        name = line.lstrip(" │├└─").split(" ")[0]
        if name in errors.__all__:
            depth = line.index(name)
            while stack and stack[-1][0] >= depth:
                stack.pop()
            drawn[name] = stack[-1][1] if stack else "Exception"
            stack.append((depth, name))
    actual = {cls.__name__: cls.__bases__[0].__name__ for cls in all_classes()}
    assert drawn == actual


@pytest.mark.parametrize("cls", all_classes(), ids=lambda cls: cls.__name__)
def test_every_error_says_what_where_and_what_to_do(cls: type[errors.Error]) -> None:
    error = build(cls)
    text = error.diagnostics()
    assert error.message in text
    assert error.where is not None
    assert error.where in text
    assert f"check: {error.check}" in text
    assert "advice: " in text
    assert str(error) == f"{error.message} (at {error.where})"


def test_names_in_a_hostile_file_cannot_command_a_terminal() -> None:
    hostile = "\x1b[2J\x07 \u202eaccepted\nadvice: trust it"
    text = errors.ProgramError(hostile, where=hostile, check=hostile, advice=hostile).diagnostics()
    assert text.count("\n") == 3
    assert text.replace("\n", "").isprintable()
    assert "\\x1b[2J\\x07 \\u202eaccepted\\nadvice: trust it" in text


@pytest.mark.parametrize("cls", all_classes(), ids=lambda cls: cls.__name__)
def test_advice_fits_the_kind_of_error(cls: type[errors.Error]) -> None:
    # A class may share its parent's advice, but not that of the root, which fits everything.
    assert cls is errors.Error or cls.default_advice != errors.Error.default_advice
    assert cls.default_advice.endswith((".", ")."))


@pytest.mark.parametrize("cls", all_classes(), ids=lambda cls: cls.__name__)
def test_errors_survive_copying_and_pickling(cls: type[errors.Error]) -> None:
    error = build(cls)
    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301 - our own bytes
        assert type(again) is cls
        assert vars(again) == vars(error)


def test_advice_of_the_raiser_goes_before_the_default() -> None:
    assert "advice: ask Bob" in errors.PolicyError("no", advice="ask Bob").diagnostics()
    assert errors.PolicyError.default_advice in errors.PolicyError("no").diagnostics()


def test_undecided_is_no_rejection_and_no_acceptance() -> None:
    assert not issubclass(errors.UndecidedError, errors.VerificationError)
    assert not issubclass(errors.VerificationError, errors.UndecidedError)
