"""`veridical log`: make a log, append to it, prove, check, audit and cosign it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from veridical import keys, tlog
from veridical.cli.console import emit, emit_json
from veridical.cli.exit_codes import ExitCode
from veridical.cli.log_cosigning import cosign, cosigner, show_values
from veridical.cli.log_extract import extract
from veridical.cli.log_fetch import fetch
from veridical.errors import InputError
from veridical.receipt import Parameters, Receipt

__all__ = ["app"]

app = App(name="log", help="Keep a transparency log, and check one.")

Flag = Parameter(negative="")
#: Findings that are printed one by one.
MAX_SHOWN = 200
NO_PARAMETERS = tlog.parameters_digest(Parameters())


@app.command
def init(folder: Path, *, origin: str, key: Path, json: Annotated[bool, Flag] = False) -> ExitCode:
    """Make a new, empty log, and show the key by which others verify it.

    Parameters
    ----------
    folder
        Where its files go; what is in it may be served by any web server, but for `.state`.
    origin
        Its name, a URL without scheme, such as log.example/provider.
    key
        The private key, Ed25519, that signs its checkpoints.
    json
        Print data only.
    """
    log = tlog.Writer.create(folder, origin=origin, signer=keys.PrivateKey.load(key))
    if json:
        emit_json({"folder": str(folder), "origin": origin, "vkey": log.key.vkey})
    else:
        emit(log.key.vkey)
    return ExitCode.ACCEPTED


@app.command
def append(  # noqa: PLR0913 - one option for each member of an entry
    folder: Path,
    *,
    key: Path,
    stream: str | None = None,
    model: str | None = None,
    input: str | None = None,  # noqa: A002 - the word of the statement
    request_id: str = "",
    intent: int | None = None,
    statement: str | None = None,
    void: str | None = None,
    json: Annotated[bool, Flag] = False,
) -> ExitCode:
    """Append an intent, or close one with --intent and either --statement or --void.

    Parameters
    ----------
    folder
        The log.
    key
        Its private key.
    stream
        The numbering that an intent belongs to.
    model
        The model digest of an intent.
    input
        The commitment to the input of an intent.
    request_id
        The client's nonce.
    intent
        The leaf of the intent that is closed.
    statement
        The receipt id of the result.
    void
        The reason why there is no result.
    json
        Print data only.
    """
    now = int(time.time())
    request: tlog.Request
    if intent is None:
        if stream is None or model is None or input is None or statement or void:
            raise InputError("an intent has --stream, --model and --input, and nothing that closes")
        request = tlog.IntentDraft(
            stream=stream,
            model=model,
            input=input,
            parameters=NO_PARAMETERS,
            request_id=request_id,
        )
    elif stream or model or input or request_id or (statement is None) == (void is None):
        raise InputError("--intent is closed by one of --statement and --void, and nothing else")
    elif statement is not None:
        request = tlog.Result(intent=intent, statement=statement, time=now)
    else:
        request = tlog.Void(intent=intent, reason=void or "", time=now)
    with tlog.Writer(folder, keys.PrivateKey.load(key), batch_seconds=0) as writer:
        appended = writer.append(request)
    value: dict[str, object] = {"index": appended.index, "size": appended.checkpoint.size}
    if isinstance(appended.entry, tlog.Intent):
        value |= {"number": appended.entry.number, "digest": appended.entry.digest}
    show_values(value, json=json)
    return ExitCode.ACCEPTED


@app.command
def show(
    folder: Path, index: int | None = None, *, json: Annotated[bool, Flag] = False
) -> ExitCode:
    """Show the present checkpoint of a log, or one entry.

    Parameters
    ----------
    folder
        The log.
    index
        The leaf of the entry.
    json
        Print data only.
    """
    log = tlog.Log.open(folder)
    head = log.head()
    cosigned = log.cosigned()
    if index is not None:
        entry = log.entry(index).to_bytes().decode()
        if json:
            emit_json({"entry": entry, "index": index, "size": head.size})
        else:
            emit(entry)
        return ExitCode.ACCEPTED
    show_values(
        {
            "origin": head.checkpoint.origin,
            "size": head.size,
            "root": head.root.hex(),
            "cosigned": 0 if cosigned is None else cosigned.size,
            "vkey": log.key.vkey,
        },
        json=json,
    )
    return ExitCode.ACCEPTED


@app.command
def prove(
    folder: Path,
    index: int | None = None,
    *,
    receipt: Path | None = None,
    out: Annotated[Path, Parameter(name=["--out", "-o"])],
) -> ExitCode:
    """Write the proof that an entry is in the log, or put both proofs of a receipt into it.

    Parameters
    ----------
    folder
        The log.
    index
        The leaf of the entry.
    receipt
        A receipt whose result is in the log, instead of an entry.
    out
        The file to write: NAME.tlog-proof, or NAME.receipt.json.
    """
    log = tlog.Log.open(folder)
    if (index is None) == (receipt is None):
        raise InputError("name the leaf of an entry, or a receipt")
    if receipt is not None:
        tlog.attach(Receipt.load(receipt), log).save(out)
    elif index is not None:
        _write(out, log.prove(index).to_bytes())
    emit(str(out))
    return ExitCode.ACCEPTED


@app.command
def verify(
    file: Path,
    *,
    log_key: Annotated[list[str], Flag],
    cosigner_key: Annotated[list[str] | None, Flag] = None,
    min_cosigners: int | None = None,
    allow_split_view: Annotated[bool, Flag] = False,
    folder: Path | None = None,
    json: Annotated[bool, Flag] = False,
) -> ExitCode:
    """Verify a log proof; with --folder, that a log extends a checkpoint that you hold.

    Parameters
    ----------
    file
        A log proof, or with --folder a checkpoint.
    log_key
        The vkey of a log that you trust; may be repeated.
    cosigner_key
        The vkey of a cosigner that you trust; may be repeated.
    min_cosigners
        How many of them must have signed; all of them if it is not given. With --folder, signed
        the present checkpoint.
    allow_split_view
        Take half of them or fewer, of which two can be honest and have signed two histories.
    folder
        The log as it is now.
    json
        Print data only.
    """
    cosigners = tuple(tlog.NoteKey.from_vkey(text) for text in cosigner_key or ())
    count = len(cosigners) if min_cosigners is None else min_cosigners
    logs = tuple(tlog.NoteKey.from_vkey(text) for text in log_key)
    trust = tlog.LogTrust(
        logs=logs,
        cosigners=cosigners,
        min_cosigners=count,
        allow_split_view=allow_split_view,
    )
    content = _read(file)
    if folder is None:
        proof, key, entry = tlog.verify_proof(content, trust)
        head = proof.checkpoint
        value: dict[str, object] = {"entry": entry.to_bytes().decode(), "index": proof.index}
    else:
        old = tlog.SignedCheckpoint.from_bytes(content, where=str(file))
        key = old.verify_log(logs)
        head = tlog.Log.open(folder, key=key).follow(old)
        value = {"extends": old.size}
    cosigned = head.verify_cosigners(cosigners, at_least=count)
    value |= {"log": key.name, "size": head.size, "cosigners": len(cosigned)}
    show_values({"verdict": "accepted", **value}, json=json)
    if not cosigned and not json:
        emit("assumes  the log shows others the same: no cosigner was asked for")
    elif 2 * len(cosigned) <= len(cosigners) and not json:
        emit("assumes  the log shows others the same: half of the cosigners or fewer signed")
    return ExitCode.ACCEPTED


@app.command
def fsck(
    folder: Path, *, log_key: str | None = None, json: Annotated[bool, Flag] = False
) -> ExitCode:
    """Hash every file of a log again, and name the first that is broken.

    Parameters
    ----------
    folder
        The log, or a copy of its files.
    log_key
        The vkey of the log, as you know it; without it the one that the writer noted is believed.
    json
        Print data only.
    """
    checked = tlog.fsck(_opened(folder, log_key))
    show_values(
        {
            "verdict": "whole",
            "size": checked.size,
            "root": checked.root.hex(),
            "tiles": checked.num_tiles,
            "bundles": checked.num_bundles,
            "cosigned": checked.num_cosigned,
            "index": "compared" if checked.has_index else "none",
        },
        json=json,
    )
    return ExitCode.ACCEPTED


@app.command
def audit(
    folder: Path,
    *,
    log_key: str | None = None,
    receipt: Annotated[list[Path] | None, Flag] = None,
    max_open_seconds: int | None = None,
    now: int | None = None,
    timeline: Path | None = None,
    json: Annotated[bool, Flag] = False,
) -> ExitCode:
    """Say what became of every intent: gaps, duplicates, open intents, voids of each stream.

    Parameters
    ----------
    folder
        The log, or a copy of its files.
    log_key
        The vkey of the log, as you know it; without it the one that the writer noted is believed.
    receipt
        A receipt whose log proofs must be of this log; may be repeated.
    max_open_seconds
        How old an open intent may be; any age if it is not given.
    now
        The time to judge by, in seconds since 1970; the present if it is not given.
    timeline
        Draw what happened over time into this file, PNG or SVG.
    json
        Print data only.
    """
    log = _opened(folder, log_key)
    now = int(time.time()) if now is None else now
    tlog.fsck(log)  # findings about entries that are not in the tree would convict nobody
    proofs = sum(tlog.compare(Receipt.load(path), log) for path in receipt or ())
    entries = (entry for _, entry in log.reader().entries())
    report = tlog.audit(entries, origin=log.key.name, now=now)
    overdue: list[str] = []
    if max_open_seconds is not None:
        before = now - max_open_seconds
        for stream, record in report.overdue(before=before):
            opened = datetime.fromtimestamp(record.time, UTC).isoformat()
            overdue.append(f"leaf {record.leaf}: {stream} {record.number}, open since {opened}")
    if timeline is not None:
        from veridical.cli.log_timeline import draw

        draw(report, timeline)
    if json:
        emit_json({**report.to_value(), "overdue": overdue, "proofs_compared": proofs})
    else:
        for one in report.streams.values():
            emit(
                f"{one.stream}: {len(one.intents)} intents, {one.num_results} results, "
                f"{one.num_voids} voids ({one.void_rate:.1%} of closed), "
                f"{len(one.open_intents)} open"
            )
            if one.num_repeats:
                emit(f"  {one.num_repeats} questions came again, without request id and seed")
            for reason, number in sorted(one.reasons.items(), key=lambda item: -item[1]):
                emit(f"  void {number} times: {reason}")
        for finding in report.findings[:MAX_SHOWN]:
            emit(f"{finding.kind}: leaf {finding.leaf} {finding.stream} {finding.detail}")
        if len(report.findings) > MAX_SHOWN:
            emit(
                f"... and {len(report.findings) - MAX_SHOWN} findings more; --json has more of them"
            )
        for line in overdue:
            emit(f"overdue: {line}")
        if receipt:
            emit(f"{proofs} log proofs of {len(receipt)} receipts are of this log")
        emit(f"{len(report.findings)} findings, {len(overdue)} overdue")
    return ExitCode.REJECTED if report.findings or overdue else ExitCode.ACCEPTED


app.command(cosign)
app.command(fetch)
app.command(extract)
app.command(cosigner)


def _opened(folder: Path, log_key: str | None) -> tlog.Log:
    key = None if log_key is None else tlog.NoteKey.from_vkey(log_key)
    return tlog.Log.open(folder, key=key)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(tlog.LOG_PROOF_MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", where=str(path)) from error


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise InputError(f"cannot write: {error.strerror}", where=str(path)) from error
