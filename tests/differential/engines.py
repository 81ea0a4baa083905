"""The two implementations, asked the same questions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veridical import _core, reference
from veridical.errors import Error, InputError, ProgramError

#: Instruction sets of this machine, each with one thread and with two.
PLANS = [(isa, threads) for isa in _core.available_isas() for threads in (1, 2)]

REFUSED = "refused"


def reference_verdict(untrusted: bytes) -> str:
    """Return the digest of an accepted file, or that it was refused."""
    try:
        return reference.load(untrusted).digest
    except ProgramError:
        return REFUSED


def reference_key_verdict(untrusted: bytes) -> str:
    """Return the digest of an accepted key file, or that it was refused."""
    try:
        return reference.load_key(untrusted).digest
    except ProgramError:
        return REFUSED


def core_verdict(untrusted: bytes, *, vkey: bool = False) -> str:
    """Return the same as the reference's verdict; the extension reads both kinds by one name."""
    try:
        program = _core.Program.from_bytes(untrusted)
    except ProgramError:
        return REFUSED
    return f"sha256:{program.digest.hex()}" if program.is_vkey == vkey else REFUSED


def assert_same_run(content: bytes, inputs: Mapping[str, NDArray[Any]], note: str) -> bool:
    """Compare one run of both on every plan; return whether it ended in values."""
    program, core = reference.load(content), _core.Program.from_bytes(content)
    assert program.digest == f"sha256:{core.digest.hex()}", note
    assert program.weight_root == core.weight_root, note
    expected: reference.ReferenceRun | InputError
    try:
        expected = program.run(inputs)
    except InputError as error:
        expected = error
    for isa, threads in PLANS:
        executor = _core.Executor(core, threads=threads, isa=isa)
        at = f"{note}, {isa}, {threads} threads"
        if isinstance(expected, InputError):
            assert_raises_input_error(executor, inputs, at)
        else:
            assert_outputs(executor.run(dict(inputs)), expected.outputs, at)
            trace = executor.trace(dict(inputs))
            assert_trace(trace, expected, at)
    if not isinstance(expected, InputError):
        assert_decoded(core.decode(dict(expected.outputs)), program.decode(expected.outputs), note)
    return not isinstance(expected, InputError)


def assert_raises_input_error(
    executor: _core.Executor, inputs: Mapping[str, NDArray[Any]], note: str
) -> None:
    try:
        executor.run(dict(inputs))
    except InputError:
        return
    except Error as error:
        raise AssertionError(f"{note}: {error!r} instead of an InputError") from error
    raise AssertionError(f"{note}: an answer where the reference has none")


def assert_outputs(
    actual: Mapping[str, NDArray[Any]], expected: Mapping[str, NDArray[Any]], note: str
) -> None:
    assert list(actual) == list(expected), note
    for name, values in expected.items():
        assert actual[name].dtype == values.dtype, f"{note}, output {name}"
        assert np.array_equal(actual[name], values), f"{note}, output {name}"


def assert_trace(trace: _core.Trace, expected: reference.ReferenceRun, note: str) -> None:
    assert len(trace) == expected.num_tensors, note
    for tensor, values in expected.tensors.items():
        assert np.array_equal(trace.tensor(tensor), values), f"{note}, tensor {tensor}"
    assert trace.root == expected.trace_root(), note


def assert_decoded(
    actual: Mapping[str, NDArray[Any]], expected: Mapping[str, NDArray[Any]], note: str
) -> None:
    for name, values in expected.items():
        assert actual[name].tobytes() == values.tobytes(), f"{note}, output {name}"


def assert_same_steps(
    content: bytes, inputs: Mapping[str, NDArray[Any]], count: int, seed: int
) -> None:
    """Compare single elements, recomputed from the trace alone, with the reference's tensors."""
    rng = np.random.default_rng(seed)
    expected = reference.load(content).run(inputs)
    trace = _core.Executor(_core.Program.from_bytes(content)).trace(dict(inputs))
    for tensor, values in expected.tensors.items():
        flat = values.ravel()
        for element in rng.integers(0, flat.size, min(count, flat.size)).tolist():
            note = f"seed {seed}, tensor {tensor}, element {element}"
            assert trace.step(tensor, element) == flat[element], note
