"""`veridical tee`: look at quotes of hardware, verify them, keep what they are judged by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import App, Parameter
from rich.markup import escape
from rich.tree import Tree

from veridical.cli.console import emit, emit_json, print_error, terminal
from veridical.cli.exit_codes import ExitCode, exit_code_of
from veridical.cli.tee_import import judge_service, plain, print_imported
from veridical.cli.trusted_time import trusted_time
from veridical.errors import InputError
from veridical.policy import AllOf, Policy, RequireTee, load
from veridical.tee import Appraisal, Collateral, Outcome, Quote, TeePolicy, appraise
from veridical.tee.claims import Claims
from veridical.tee.policy import BROKEN_GENERATIONS, GENERATIONS, STATUSES

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Options", "app"]

app = App(name="tee", help="Look at quotes of hardware, verify them, keep their collateral.")
collateral = App(name="collateral", help="Keep what quotes are judged by.")
app.command(collateral)

_STYLES: Final = {
    Outcome.ACCEPTED: "green",
    Outcome.UNDECIDED: "yellow",
    Outcome.REJECTED: "bold red",
}
_ADVISORY: Final = ("INTEL-SA-", "AMD-SB-")
_ROOT_CHARS: Final = 64


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """What to judge a quote by.

    Parameters
    ----------
    certificates
        The certificates of a GPU or switch, in PEM.
    collateral
        Files of collateral: bundles, PCCS documents, VCEKs, AMD's chains, RIMs; may be repeated.
    at
        The trusted time: seconds since 1970, a date such as 2025-06-19T12:00:00Z, or `now`. Without
        it nothing is accepted.
    policy
        A policy file with a rule `require_tee`; the defaults if it is not given.
    allow
        Loosen the policy by name: a generation (`milan`), a TCB status, an advisory, `debug`,
        `migration`, or the SHA-256 of a simulator's root; may be repeated.
    store
        Use the collateral that this user keeps as well.
    json
        Print data only.
    """

    certificates: Path | None = None
    collateral: Annotated[list[Path] | None, Parameter(negative="")] = None
    at: str | None = None
    policy: Path | None = None
    allow: Annotated[list[str] | None, Parameter(negative="")] = None
    store: bool = True
    json: Annotated[bool, Parameter(negative="")] = False


_NO_OPTIONS: Final = Options()


@app.command
def explain(file: Path, options: Options = _NO_OPTIONS) -> ExitCode:
    """Say in words what a quote says, and what somebody who knows would point at.

    Parameters
    ----------
    file
        The quote: raw, in hex, in JSON, or in dstack's envelope.
    """
    quote, appraisal = _judge(file, options)
    claims = appraisal.claims or quote.unverified_claims()
    remarks = list(_remarks(claims))
    if options.json:
        value = appraisal.to_value()
        value["claims"] = claims.to_value()
        value["remarks"] = remarks
        value["verified"] = appraisal.claims is not None
        emit_json(value)
    else:
        _print_tree(claims, appraisal, remarks)
    return ExitCode.ACCEPTED


@app.command
def verify(file: Path, options: Options = _NO_OPTIONS) -> ExitCode:
    """Accept a quote, or say why not.

    Parameters
    ----------
    file
        The quote: raw, in hex, in JSON, or in dstack's envelope.
    """
    _, appraisal = _judge(file, options)
    error = appraisal.error
    if options.json:
        emit_json(appraisal.to_value())
    else:
        emit(appraisal.outcome.name.lower())
        if appraisal.claims is not None:
            emit(f"quote     {appraisal.claims.digest}")
            emit(f"hardware  {appraisal.claims.generation}")
        for finding in appraisal.findings:
            if finding.outcome is not Outcome.ACCEPTED:
                detail = plain(finding.detail)
                emit(f"{finding.outcome.name.lower():<9} {finding.check}: {detail}")
        for line in appraisal.not_covered:
            emit(f"not covered: {line}")
    if error is None:
        return ExitCode.ACCEPTED
    if not options.json:
        print_error(error, is_json=False)
    return exit_code_of(error)


@app.command(name="import")
def import_(
    report: Path,
    *,
    signature: Path,
    request: Path | None = None,
    response: Path | None = None,
    nonce: str | None = None,
    options: Options = _NO_OPTIONS,
) -> ExitCode:
    """Judge what another service handed out about an answer, and name what it does not bind.

    Known are NEAR AI and Phala (`/v1/attestation/report`), and ACI (`/v1/aci/attestation`).

    Parameters
    ----------
    report
        The attestation report, as the service returned it.
    signature
        What `/v1/signature/{id}` returned, or the ACI receipt.
    request
        The bytes of the request; without them the verdict is undecided.
    response
        The bytes of the response; without them the verdict is undecided.
    nonce
        The nonce that the report was asked for with: 64 hexadecimal digits.
    """
    policy = _policy(options)
    imported = judge_service(
        (report, signature, request, response),
        nonce=nonce,
        policy=policy,
        collateral=lambda quotes: _collateral(quotes, options),
        time=trusted_time(options.at),
    )
    error = imported.error
    if options.json:
        emit_json(imported.to_value())
    else:
        print_imported(imported)
    if error is None:
        return ExitCode.ACCEPTED
    if not options.json:
        print_error(error, is_json=False)
    return exit_code_of(error)


@app.command
def measure(  # noqa: PLR0913 - one option for each thing that is measured
    firmware: Path,
    *,
    vcpus: int,
    vcpu_type: str,
    kernel: Path | None = None,
    initrd: Path | None = None,
    append: str = "",
    guest_features: int = 1,
    hypervisor: Literal["qemu", "ec2"] = "qemu",
    json: Annotated[bool, Parameter(negative="")] = False,
) -> ExitCode:
    """Compute the measurement that a SEV-SNP guest has to have, for a policy.

    Parameters
    ----------
    firmware
        The firmware of the guest.
    vcpus
        How many processors the guest is started with.
    vcpu_type
        Their type, as QEMU calls it: `EPYC-v4`, `EPYC-Genoa`.
    kernel
        The kernel, where it is measured.
    initrd
        Its initial file system.
    append
        Its command line.
    guest_features
        The features that are switched on, as a number.
    hypervisor
        Who starts the guest.
    json
        Print data only.
    """
    from veridical.tee.launch import snp_measurement

    digest = snp_measurement(
        firmware,
        vcpus=vcpus,
        vcpu_type=vcpu_type,
        kernel=kernel,
        initrd=initrd,
        command_line=append,
        guest_features=guest_features,
        hypervisor=hypervisor,
    )
    if json:
        emit_json({"measurement": digest.hex()})
    else:
        emit(digest.hex())
    return ExitCode.ACCEPTED


@collateral.command
def add(
    *files: Path,
    store: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> ExitCode:
    """Keep collateral that its maker signed; what is older than what is kept is refused.

    Parameters
    ----------
    files
        Bundles, PCCS documents, VCEKs, AMD's chains, RIMs, OCSP responses.
    store
        The folder; the user's own if it is not given.
    json
        Print data only.
    """
    from veridical.tee.collateral_files import read_collateral_files
    from veridical.tee.store import Store

    if not files:
        raise InputError("no file of collateral")
    kept = Store.default() if store is None else Store(store)
    added = kept.add(read_collateral_files(list(files)))
    if json:
        items = [
            {"kind": item.kind.value, "new": is_new, "subject": item.subject}
            for item, is_new in added
        ]
        emit_json({"folder": str(kept.folder), "items": items})
        return ExitCode.ACCEPTED
    for item, is_new in added:
        emit(f"{'kept' if is_new else 'known':<6} {item.kind.value:<12} {item.subject}")
    return ExitCode.ACCEPTED


@collateral.command
def show(
    *, store: Path | None = None, json: Annotated[bool, Parameter(negative="")] = False
) -> ExitCode:
    """List the collateral that is kept.

    Parameters
    ----------
    store
        The folder; the user's own if it is not given.
    json
        Print data only.
    """
    from veridical.tee.rollback import age_of
    from veridical.tee.store import Store

    kept = Store.default() if store is None else Store(store)
    rows = [(item, age_of(item)) for item in kept.load()]
    if json:
        items = [
            {
                "evaluation": age.evaluation,
                "issued": age.issued,
                "kind": item.kind.value,
                "subject": item.subject,
            }
            for item, age in rows
        ]
        emit_json({"folder": str(kept.folder), "items": items})
        return ExitCode.ACCEPTED
    emit(f"folder    {kept.folder}")
    for item, age in rows:
        issued = "" if not age.issued else f"issued {_date(age.issued)}"
        number = "" if not age.evaluation else f"evaluation {age.evaluation}"
        emit(f"{item.kind.value:<12} {item.subject:<40.40} {number:<15} {issued}".rstrip())
    return ExitCode.ACCEPTED


def _judge(file: Path, options: Options) -> tuple[Quote, Appraisal]:
    from veridical.tee.files import read_quote_file

    quote = read_quote_file(file, certificates=options.certificates)
    appraisal = appraise(
        quote,
        policy=_policy(options),
        collateral=_collateral((quote,), options),
        time=trusted_time(options.at),
    )
    return quote, appraisal


def _collateral(quotes: Sequence[Quote], options: Options) -> Collateral:
    from veridical.tee.collateral_files import read_collateral_files
    from veridical.tee.store import Store

    wanted = {version: name for quote in quotes for version, name in _wanted(quote).items()}
    given = read_collateral_files(options.collateral or [], wanted=wanted)
    return given.or_from(Store.default().load()) if options.store else given


def _wanted(quote: Quote) -> dict[str, str]:
    """Return the ids of the reference measurements of a GPU or switch, by version."""
    from veridical.tee.nvidia import GpuReport, SwitchReport

    if not isinstance(quote, GpuReport | SwitchReport):
        return {}
    return {version.upper(): name for name, version in quote.rim_ids()}


def _policy(options: Options) -> TeePolicy:
    policy = TeePolicy() if options.policy is None else _rule(load(options.policy)).policy
    for name in options.allow or ():
        policy = _loosened(policy, name)
    return policy


def _rule(policy: Policy) -> RequireTee:
    """Return the one rule about hardware of a policy file."""
    rules = policy.rules if isinstance(policy, AllOf) else (policy,)
    found = [rule for rule in rules if isinstance(rule, RequireTee)]
    if len(found) != 1:
        raise InputError(
            f"{len(found)} rules require_tee at the top of the policy; this command takes one",
            where="--policy",
        )
    return found[0]


def _loosened(policy: TeePolicy, name: str) -> TeePolicy:
    if name in GENERATIONS:
        return replace(policy, generations=policy.generations | {name})
    if name in STATUSES:
        return replace(policy, statuses=policy.statuses | {name})
    if name.startswith(_ADVISORY):
        return replace(policy, advisories=policy.advisories | {name})
    if name == "debug":
        return replace(policy, debug=True)
    if name == "migration":
        return replace(policy, migration=True)
    if len(name) == _ROOT_CHARS:
        return replace(policy, simulators=policy.simulators | {name})
    raise InputError(f"{name[:64]!r} is nothing that can be allowed", where="--allow")


def _remarks(claims: Claims) -> list[str]:
    """Return what somebody who knows these quotes would point at."""
    security, found = claims.security, []
    if claims.is_simulated:
        found.append("SIMULATED: no hardware stands behind this")
    if security.get("debug"):
        found.append("debug mode: whoever runs the machine can read and change everything inside")
    if claims.generation in BROKEN_GENERATIONS:
        found.append("keys of this generation leak to software: anybody may have made it")
    if security.get("migratable") or security.get("migration_agent"):
        found.append("it may migrate to a machine of the operator's choice")
    if security.get("vmpl", 0) > 0:
        found.append(f"asked for at VMPL {security['vmpl']}: more privileged code runs beside it")
    if not any(claims.bound):
        found.append("it is bound to nothing: anybody may show it, at any time")
    if claims.measurements.get("rtmr3", "1").strip("0") == "":
        found.append("register 3 is empty: no application was measured at run time")
    if not any(int(text or "0", 16) for text in [claims.platform] if _is_hex(text)):
        found.append("the platform hides its identity")
    return found


def _is_hex(text: str) -> bool:
    return bool(text) and not set(text) - set("0123456789abcdef")


def _print_tree(claims: Claims, appraisal: Appraisal, remarks: list[str]) -> None:
    known = "genuine" if appraisal.claims is not None else "NOT VERIFIED"
    console = terminal()
    if console is None:
        emit(f"quote of {claims.family.value} ({claims.generation}), {known}")
        for branch, lines in _branches(claims, appraisal, remarks):
            emit(branch)
            for line, _style in lines:
                emit(f"  {plain(line)}")
        return
    tree = Tree(f"[bold]quote of {claims.family.value}[/] ({claims.generation}), {known}")
    for branch, lines in _branches(claims, appraisal, remarks):
        node = tree.add(f"[bold]{branch}[/]")
        for line, style in lines:
            text = escape(plain(line))
            node.add(f"[{style}]{text}[/]" if style else text)
    console.print(tree, emoji=False)


Lines = list[tuple[str, str]]


def _branches(claims: Claims, appraisal: Appraisal, remarks: list[str]) -> list[tuple[str, Lines]]:
    code = {name: text for name, text in claims.measurements.items() if text.strip("0")}
    empty = [name for name in claims.measurements if name not in code]
    measured: Lines = [(f"{name}: {text}", "") for name, text in code.items()]
    if empty:
        measured.append((f"all zero: {', '.join(empty)}", "dim"))
    firmware = [(f"{name}: {text}", "") for name, text in claims.firmware.items() if text]
    options = [(f"{name}: {number}", "") for name, number in claims.security.items()]
    tcb = appraisal.tcb
    rating: Lines = []
    if tcb is not None:
        listed = ", ".join(tcb.advisories) or "none"
        rating = [
            (f"status: {tcb.status}", ""),
            (f"advisories: {listed}", ""),
            (f"evaluation: {tcb.evaluation}", ""),
        ]
    found = [
        (f"{f.outcome.name.lower()} {f.check}: {f.detail}", _STYLES[f.outcome])
        for f in appraisal.findings
    ]
    windows = [
        (f"{w.what}: {_date(w.not_before)} to {_date(w.not_after)}", "") for w in appraisal.windows
    ]
    return [
        ("identity", [(f"platform: {claims.platform}", ""), (f"claims: {claims.digest}", "")]),
        ("bound to", [(claims.bound.hex() or "nothing", "")]),
        ("code", measured),
        ("firmware", firmware),
        ("options", options),
        *([("rating", rating)] if rating else []),
        *([("valid", windows)] if windows else []),
        ("findings", found),
        ("look at", [(remark, "bold yellow") for remark in remarks] or [("nothing", "dim")]),
        ("not covered", [(line, "dim") for line in appraisal.not_covered]),
    ]


def _date(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%d %H:%M")
    except (OverflowError, OSError, ValueError):  # a time that has no date
        return str(seconds)
