"""Verification: numbered checks, one verdict.

Spec: spec/v1/receipt.md, section 8.

| Module         | Purpose                                                   |
|----------------|-----------------------------------------------------------|
| `given`        | what the caller gave to compare with                       |
| `checks`       | names and outcomes of the numbered checks                  |
| `envelopes`    | checks 5 to 10, for each envelope                          |
| `comparison`   | checks 4 and 11 to 13, against reveals and caller          |
| `tiers`        | check 14: which tiers there are                            |
| `reexecution`  | check 14 for tier `reexecution`                            |
| `attested`     | check 14 for tier `tee`                                    |
| `verification` | the order of all of them, and the verdict                  |
| `report`       | what is returned                                           |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from veridical.errors import InternalError
from veridical.seeds.beacon import QUICKNET
from veridical.verifier.checks import CHECKS, Check, Status
from veridical.verifier.given import Given, Value
from veridical.verifier.report import Report, Standing, Verified
from veridical.verifier.verification import ReceiptSource, run_checks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from veridical.policy.facts import Policy
    from veridical.receipt.program import Program
    from veridical.seeds.beacon import Beacon
    from veridical.tee.context import TeeContext

__all__ = ["CHECKS", "Check", "Report", "Standing", "Status", "Verified", "explain", "verify"]


def verify(
    receipt: ReceiptSource,
    policy: Policy,
    *,
    now: float,
    input: Value | None = None,  # noqa: A002 - the word of the statement
    output: Value | None = None,
    program: Program | None = None,
    beacons: Iterable[Beacon] = (QUICKNET,),
    tee: TeeContext | None = None,
) -> Verified:
    """Return what was verified, or raise.

    `receipt` is a parsed receipt, its bytes, or the path of its file; `now` is seconds since 1970.
    Pass the question that you asked as `input` and the answer that you got as `output`, each as
    arrays by name, and they are compared; pass the program, and it is run again.
    `beacons` are the chains whose rounds may stand behind a seed. `tee` holds a trusted time and
    collateral, without which no quote of hardware is accepted.

    Raises:
        VerificationError: the receipt is rejected; the subclass and `check` name the reason.
        UndecidedError: a check needs something that was not given. Nothing is accepted.
        InputError: an argument cannot be used; nothing was verified.
    """
    report = explain(
        receipt,
        policy,
        now=now,
        input=input,
        output=output,
        program=program,
        beacons=beacons,
        tee=tee,
    )
    if report.verified is not None:
        return report.verified
    if report.error is None:
        raise InternalError("a receipt was neither accepted nor rejected")
    raise report.error


def explain(
    receipt: ReceiptSource,
    policy: Policy,
    *,
    now: float,
    input: Value | None = None,  # noqa: A002 - the word of the statement
    output: Value | None = None,
    program: Program | None = None,
    beacons: Iterable[Beacon] = (QUICKNET,),
    tee: TeeContext | None = None,
) -> Report:
    """Return every check of a receipt, whatever is wrong with it; arguments as for `verify`.

    Raises:
        InputError: an argument cannot be used; nothing was verified.
    """
    given = Given.of(now=now, input=input, output=output, program=program, beacons=beacons, tee=tee)
    return run_checks(receipt, policy, given)
