"""Veridical makes an AI answer checkable.

    program = veridical.compile("model.onnx", calibration=samples)
    run = veridical.run(program, {"x": x})
    receipt = veridical.issue(run, signer=veridical.keys.generate())
    verified = veridical.verify(receipt, policy, now=time.time(), input={"x": x}, program=program)

`verify` raises unless everything that the policy asks for holds; there is no default policy.
`compile` needs the extra `compile`; everything else is in the base installation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# First: it decides which build of the extension everything else imports.
from veridical import builds as _builds  # noqa: F401
from veridical import errors, keys, policy
from veridical.program import Program, Run, load, run
from veridical.receipt import Receipt, Reexecution, issue, upgrade
from veridical.verifier import Verified, explain, verify
from veridical.zk import Zk

if TYPE_CHECKING:
    from veridical.compiler import compile, compile_model  # noqa: A004 - the verb of the package

__all__ = [
    "Program",
    "Receipt",
    "Reexecution",
    "Run",
    "Verified",
    "Zk",
    "compile",
    "compile_model",
    "errors",
    "explain",
    "issue",
    "keys",
    "load",
    "policy",
    "run",
    "upgrade",
    "verify",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module attribute
    """Import the compiler when it is first asked for: its packages are an extra."""
    if name not in ("compile", "compile_model"):
        raise AttributeError(f"module 'veridical' has no attribute {name!r}")
    try:
        from veridical import compiler
    except ImportError as error:
        raise errors.InputError(
            f"the compiler needs a package that is not installed: {error.name}",
            advice="Install the extra: veridical[compile].",
        ) from error
    return getattr(compiler, name)
