"""What `verify` and `explain` share: from options to a report."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter
from numpy.typing import NDArray

import veridical
from veridical import verifier, zk
from veridical.cli.samples import load_samples, named
from veridical.cli.trusted_time import trusted_time
from veridical.errors import InputError
from veridical.keys import PublicKey
from veridical.policy import AllOf, ExpectInput, ExpectOutput, Nonce, Policy, TrustedSigners, load
from veridical.tee import Collateral
from veridical.tee.context import TeeContext
from veridical.verifier import Report

__all__ = ["NO_OPTIONS", "Options", "judge", "rules_of", "tee_context"]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """What to judge a receipt by.

    Parameters
    ----------
    policy
        What you accept, as TOML. There is no default.
    signer
        A public key whose signature you accept; may be repeated. Alone it is the whole policy.
    program
        The program, to be run again.
    input
        The question that you asked, in the form that `run` takes. It must match.
    output
        The answer that you got, as `run` wrote it. It must match.
    nonce
        The request id that you chose. It must match.
    now
        The time to judge by, in seconds since 1970; the present if it is not given.
    at
        The trusted time at which quotes of hardware are judged: a date, seconds, or `now`.
    collateral
        Collateral of quotes, beside what the receipt carries; may be repeated.
    registration
        Registration proofs of the weights, for a verification key; may be repeated.
    cache
        Take the root of the program's weights from an earlier commitment of this user.
    json
        Print data only.
    """

    policy: Path | None = None
    signer: Annotated[list[Path] | None, Parameter(negative="")] = None
    program: Path | None = None
    input: Path | None = None
    output: Path | None = None
    nonce: str | None = None
    now: int | None = None
    at: str | None = None
    collateral: Annotated[list[Path] | None, Parameter(negative="")] = None
    registration: Annotated[list[Path] | None, Parameter(negative="")] = None
    cache: bool = True
    json: Annotated[bool, Parameter(negative="")] = False

    def load_program(self) -> veridical.Program | None:
        """Return the program with what was given about its weights.

        Raises:
            InputError: an option cannot be used.
            ProgramError: the file is no program.
        """
        program = None if self.program is None else veridical.load(self.program)
        if program is not None and self.cache:
            program.weight_cache = zk.RootCache.default()
        for path in self.registration or ():
            if program is None:
                raise InputError("a registration is of a program", advice="Give --program M.vkey.")
            zk.RegistrationProof.load(path).attach(program)
        return program

    def judged_at(self) -> int:
        """Return the time to judge by."""
        return int(time.time()) if self.now is None else self.now


#: What a command starts from; cyclopts asks for a default where every option has one.
NO_OPTIONS: Final = Options()


def judge(receipt: Path, options: Options) -> Report:
    """Make every check that the options allow.

    Raises:
        InputError: an option cannot be used; nothing was verified.
    """
    policy = AllOf(*rules_of(options))
    program = options.load_program()
    inputs = None if program is None else [entry.name for entry in program.inputs]
    outputs = None if program is None else [entry.name for entry in program.outputs]
    return verifier.explain(
        receipt,
        policy,
        now=options.judged_at(),
        input=_values(options.input, inputs),
        output=_values(options.output, outputs),
        program=program,
        tee=tee_context(options),
    )


def tee_context(options: Options) -> TeeContext:
    """Return what quotes of hardware are judged by.

    Raises:
        InputError: an option cannot be used.
    """
    return TeeContext(time=trusted_time(options.at), collateral=_collateral(options))


def _collateral(options: Options) -> Collateral:
    """Return the files that were given, and what this user keeps."""
    if options.at is None and not options.collateral:
        return Collateral()  # without a time nothing is decided about hardware
    from veridical.tee.collateral_files import read_collateral_files
    from veridical.tee.store import Store

    return read_collateral_files(options.collateral or []).or_from(Store.default().load())


def _values(path: Path | None, names: list[str] | None) -> dict[str, NDArray[Any]] | None:
    if path is None:
        return None
    samples = load_samples(path)
    if names is None and not isinstance(samples, dict):
        raise InputError(
            "one array without a name",
            where=str(path),
            advice="Give arrays by name (.npz), or the program, which knows the name.",
        )
    return named(samples, names or [])


def rules_of(options: Options) -> list[Policy]:
    """Return the rules of a file, of options, or of both; one of them is needed.

    What the caller gave to compare with must then match: what cannot be compared is not accepted.

    Raises:
        InputError: there is no policy.
    """
    rules: list[Policy] = []
    if options.policy is not None:
        rules.append(load(options.policy))
    if options.signer:
        rules.append(TrustedSigners(*(PublicKey.load(signer) for signer in options.signer)))
    if not rules:
        raise InputError(
            "there is no default policy",
            where="--policy, --signer",
            advice="Pass `--policy FILE.toml`, or `--signer KEY.pub` for whose word you accept.",
        )
    if options.input is not None:
        rules.append(ExpectInput())
    if options.output is not None:
        rules.append(ExpectOutput())
    if options.nonce is not None:
        rules.append(Nonce(options.nonce))
    return rules
