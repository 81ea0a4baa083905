"""Receipts that are logged: accepted with both proofs, refused by name without."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.toy import GIVEN, NONCE, NOW, SIGNER, STRICT, toy_run
from tests.unit.tlog.logs import (
    LOG_KEY,
    LOG_SIGNER,
    chain,
    grow,
    make_log,
    private_key,
    signed_head,
    statement,
)
from veridical.commitment import Commitment, tensors_to_bytes
from veridical.errors import (
    CheckpointError,
    ConsistencyError,
    InclusionError,
    InputError,
    LogError,
    MalformedError,
    PolicyFormatError,
    VerificationError,
)
from veridical.policy import AllOf, AnyOf, RequireLogged, TrustedSigners, loads
from veridical.receipt import Parameters, Receipt, issue
from veridical.tlog import (
    Cosigner,
    Entry,
    Intent,
    IntentDraft,
    Log,
    LogProof,
    LogTrust,
    NoteKey,
    Result,
    Writer,
    add_cosignatures,
    attach,
    log_proofs,
    parameters_digest,
    sequence_of,
    verify_logged,
)
from veridical.tlog.tree import Hashes, inclusion_proof, leaf_hash
from veridical.verifier import explain, verify

if TYPE_CHECKING:
    from pathlib import Path

WITNESS = private_key(10)
WITNESS_KEY = NoteKey.of("witness.example/w1", WITNESS.public_key, role="cosigner")
LOGGED = AllOf(STRICT, RequireLogged(LOG_KEY))
COSIGNED = AllOf(STRICT, RequireLogged(LOG_KEY, cosigners=[WITNESS_KEY]))


def toy_draft(**changes: str) -> IntentDraft:
    run = toy_run()
    received = Commitment.commit("input.received", tensors_to_bytes(run.inputs))
    members = {
        "stream": "live",
        "model": "sha256:" + run.program.digest.hex(),
        "input": str(received),
        "parameters": parameters_digest(Parameters()),
        "request_id": NONCE,
    }
    return IntentDraft(**{**members, **changes})


def serve(log: Log, draft: IntentDraft) -> Receipt:
    """Log an intent, run, issue, log the result: what a gateway does."""
    with Writer(log.folder, LOG_SIGNER, clock=lambda: NOW) as writer:
        opened = writer.append(draft)
        assert isinstance(opened.entry, Intent)
        sequence = sequence_of(opened.entry)
        receipt = issue(toy_run(), signer=SIGNER, nonce=NONCE, issued_at=NOW, sequence=sequence)
        writer.append(Result(intent=opened.index, statement=receipt.receipt_id, time=NOW))
    return receipt


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    folder = tmp_path_factory.mktemp("logged")
    log = make_log(folder / "log", [toy_draft(request_id="before"), toy_draft(stream="other")])
    cosigner = Cosigner(
        folder / "w1.sqlite",
        name=WITNESS_KEY.name,
        signer=WITNESS,
        logs=[LOG_KEY],
        clock=lambda: NOW,
    )
    serve(log, toy_draft())
    add_cosignatures(log, cosigner)
    cosigner.close()
    return log


@pytest.fixture(scope="module")
def receipt(log: Log) -> Receipt:
    intent = log.entry(2)
    assert isinstance(intent, Intent)
    plain = issue(
        toy_run(), signer=SIGNER, nonce=NONCE, issued_at=NOW, sequence=sequence_of(intent)
    )
    return attach(plain, log)


def refused(receipt: Receipt, policy: Any = LOGGED) -> VerificationError:
    with pytest.raises(VerificationError) as caught:
        verify(Receipt.from_bytes(receipt.to_bytes()), policy, **GIVEN)
    assert explain(receipt, policy, **GIVEN).verdict == "rejected"
    return caught.value


def with_proofs(receipt: Receipt, *proofs: bytes) -> Receipt:
    others = [blob for blob in receipt.evidence if not LogProof.is_one(blob)]
    return replace(receipt, evidence=(*others, *proofs))


def proofs_of(receipt: Receipt) -> tuple[bytes, bytes]:
    first, second = (blob for blob in receipt.evidence if LogProof.is_one(blob))
    return first, second


def test_a_logged_receipt_is_accepted(receipt: Receipt) -> None:
    verified = verify(Receipt.from_bytes(receipt.to_bytes()), LOGGED, **GIVEN)
    assert verified.logged is not None
    assert (verified.logged.intent, verified.logged.result) == (2, 3)
    assert any("no cosigner" in assumption for assumption in verified.assumptions)
    assert any("outside this log" in assumption for assumption in verified.assumptions)
    assert not any("log: none" in assumption for assumption in verified.assumptions)
    (status,) = [check.status.value for check in verified.checks if check.name == "log"]
    assert status == "passed"


def test_a_cosigned_receipt_is_accepted_and_says_by_whom(receipt: Receipt) -> None:
    verified = verify(receipt, COSIGNED, **GIVEN)
    value: Any = verified.to_value()["logged"]
    assert value["cosigners"] == {"witness.example/w1": NOW}
    assert not any("no cosigner" in assumption for assumption in verified.assumptions)


def test_proofs_change_neither_id_nor_envelopes(receipt: Receipt, log: Log) -> None:
    plain = with_proofs(receipt)
    assert plain.receipt_id == receipt.receipt_id
    assert plain.envelopes == receipt.envelopes
    assert attach(receipt, log) == receipt
    unasked = verify(receipt, STRICT, **GIVEN)
    assert unasked.logged is None
    assert any("log: none" in assumption for assumption in unasked.assumptions)


def test_a_receipt_without_its_proofs_is_refused(receipt: Receipt) -> None:
    first, second = proofs_of(receipt)
    assert refused(with_proofs(receipt)).check == "log"
    assert refused(with_proofs(receipt, first)).check == "log.binding"
    assert refused(with_proofs(receipt, second)).check == "log.binding"


def test_a_proof_that_fails_is_as_if_it_were_absent(receipt: Receipt) -> None:
    first, second = proofs_of(receipt)
    noise = [first[:-2], second + b"x", b"c2sp.org/tlog-proof@v1\n", first.replace(b"index", b"xx")]
    verify(with_proofs(receipt, *noise, first, second), LOGGED, **GIVEN)
    for count in range(len(noise)):
        assert refused(with_proofs(receipt, first, *noise[: count + 1])).check is not None
    lenient = AnyOf(STRICT, LOGGED)
    for evidence in ((*noise,), (first,), ()):
        verify(with_proofs(receipt, *evidence), lenient, **GIVEN)


@pytest.mark.parametrize(
    ("old", "new", "error", "check"),
    [
        (b"@v1\nextra", b"@v1\n\nextra", MalformedError, "log.format"),
        (b"\nlog.example/provider\n", b"\nlog.example/other\n", CheckpointError, "log.origin"),
        (b"\n4\n", b"\n5\n", CheckpointError, "log.signature"),
        (b"index 3", b"index 2", InclusionError, "log.inclusion"),
        (b"index 3", b"index 9", InclusionError, "log.inclusion"),
    ],
)
def test_a_forged_proof_is_refused_by_the_check_that_is_named(
    receipt: Receipt, old: bytes, new: bytes, error: type[VerificationError], check: str
) -> None:
    first, second = proofs_of(receipt)
    assert old in second
    # Alone, so that nothing else in the receipt decides.
    found = refused(with_proofs(receipt, second.replace(old, new, 1)))
    assert (type(found), found.check) == (error, check)
    assert refused(with_proofs(receipt, first, second.replace(old, new, 1))).check


def test_too_few_cosigners_are_refused(receipt: Receipt) -> None:
    other = NoteKey.of("witness.example/w2", private_key(11).public_key, role="cosigner")
    both = AllOf(STRICT, RequireLogged(LOG_KEY, cosigners=[WITNESS_KEY, other]))
    assert refused(receipt, both).check == "log.cosignature"
    with pytest.raises(PolicyFormatError, match="two histories"):
        RequireLogged(LOG_KEY, cosigners=[WITNESS_KEY, other], min_cosigners=1)
    half = RequireLogged(
        LOG_KEY, cosigners=[WITNESS_KEY, other], min_cosigners=1, allow_split_view=True
    )
    verified = verify(receipt, AllOf(STRICT, half), **GIVEN)
    assert any("1 of 2 named cosigners" in line for line in verified.assumptions)
    assert not any("no cosigner was asked" in line for line in verified.assumptions)


def test_another_log_is_refused(receipt: Receipt) -> None:
    stranger = NoteKey.of("log.example/other", private_key(50).public_key, role="log")
    assert refused(receipt, AllOf(STRICT, RequireLogged(stranger))).check == "log.origin"
    impostor = NoteKey.of(LOG_KEY.name, private_key(50).public_key, role="log")
    assert refused(receipt, AllOf(STRICT, RequireLogged(impostor))).check == "log.signature"


@pytest.mark.parametrize(
    "changes",
    [
        {"stream": "backup"},
        {"model": "sha256:" + "00" * 32},
        {"input": "sha256:" + "00" * 32},
        {"parameters": "sha256:" + "00" * 32},
        {"request_id": "another"},
        {"seed": "vrf", "seed_key": "0a" * 32},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_an_intent_for_something_else_is_refused(tmp_path: Path, changes: dict[str, str]) -> None:
    log = make_log(tmp_path / "log")
    receipt = attach(serve(log, toy_draft(**changes)), log)
    if "stream" in changes:  # any name will do, if the statement says the same
        verify(receipt, LOGGED, **GIVEN)
        return
    found = refused(receipt)
    assert found.check == "log.binding"
    assert next(iter(changes)) in found.message


def forged_log(receipt: Receipt, entries: list[bytes], *leaves: int) -> Receipt:
    """Return the receipt with proofs from a log that its key holder made up."""
    source = Hashes([leaf_hash(entry) for entry in entries])
    head = signed_head(entries)
    proofs = [
        LogProof(
            entry=entries[leaf],
            index=leaf,
            nodes=tuple(inclusion_proof(source, leaf, len(entries))),
            checkpoint=head,
        ).to_bytes()
        for leaf in leaves
    ]
    return with_proofs(receipt, *proofs)


def test_a_log_in_the_wrong_order_is_refused(receipt: Receipt, log: Log) -> None:
    intent = log.entry(2).to_bytes()
    late = Result(intent=1, statement=receipt.receipt_id, time=NOW).to_bytes()
    found = refused(forged_log(receipt, [late, intent], 0, 1))
    assert found.check == "log.binding"
    assert "not before" in found.message


def test_another_result_number_or_chain_is_refused(receipt: Receipt, log: Log) -> None:
    intent = log.entry(2)
    assert isinstance(intent, Intent)
    result = Result(intent=0, statement=receipt.receipt_id, time=NOW)
    verify(forged_log(receipt, [intent.to_bytes(), result.to_bytes()], 0, 1), LOGGED, **GIVEN)
    cases: list[tuple[list[Entry], str]] = [
        ([intent, replace(result, intent=5)], "intent"),
        ([intent, replace(result, statement=statement(1))], "statement"),
        ([replace(intent, number=7), result], "digest"),
        ([replace(intent, time=NOW + 1), result], "digest"),
        ([chain(2)[1], result], "digest"),
        ([result, result], "both"),
        ([intent, intent], "both"),
    ]
    for entries, word in cases:
        found = refused(forged_log(receipt, [entry.to_bytes() for entry in entries], 0, 1))
        assert found.check == "log.binding"
        assert word in found.message


def test_an_entry_that_is_none_is_refused(receipt: Receipt) -> None:
    assert refused(forged_log(receipt, [b'{"type":1}', b"{}"], 0, 1)).check == "log.entry"
    twice = b'{"intent":0,"intent":0,"statement":"","time":0,"type":"veridical-result/v1"}'
    assert refused(forged_log(receipt, [twice], 0)).check == "log.entry"


def test_a_receipt_that_the_log_does_not_know_gets_no_proof(log: Log) -> None:
    stranger = issue(toy_run(), signer=SIGNER, nonce="elsewhere", issued_at=NOW)
    with pytest.raises(InputError, match="no result"):
        attach(stranger, log)


def test_a_log_may_grow_before_the_proof_is_made(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log")
    receipt = serve(log, toy_draft())
    grow(log, [toy_draft()] * 300)
    [shown] = verify_logged(attach(receipt, log), LogTrust(logs=(LOG_KEY,)))
    assert (shown.intent, shown.result) == (0, 1)


def test_the_earliest_cosigned_proof_of_an_intent_is_kept(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", [toy_draft()])
    times = iter((NOW + 1, NOW + 90))
    cosigner = Cosigner(
        tmp_path / "w1.sqlite",
        name=WITNESS_KEY.name,
        signer=WITNESS,
        logs=[LOG_KEY],
        clock=lambda: next(times),
    )
    add_cosignatures(log, cosigner)
    early = log.prove(0).to_bytes()
    intent = log.entry(0)
    assert isinstance(intent, Intent)
    receipt = issue(
        toy_run(), signer=SIGNER, nonce=NONCE, issued_at=NOW, sequence=sequence_of(intent)
    )
    grow(log, [Result(intent=0, statement=receipt.receipt_id, time=NOW)])
    uncosigned = attach(with_proofs(receipt, log.prove(0, log.head()).to_bytes(), early), log)
    assert log_proofs(uncosigned)[0] == early
    assert len(log_proofs(uncosigned)) == 3
    add_cosignatures(log, cosigner)
    cosigner.close()
    again = attach(uncosigned, log)
    assert attach(again, log) == again
    assert len(log_proofs(again)) == 3
    verified = verify(again, COSIGNED, **GIVEN)
    assert verified.logged is not None
    assert [one.timestamp for one in verified.logged.intent_seen] == [NOW + 1]


def test_the_verdict_names_the_log_of_the_branch_that_accepted(receipt: Receipt) -> None:
    stranger = NoteKey.of("log.example/other", private_key(50).public_key, role="log")
    unmet = AllOf(RequireLogged(LOG_KEY), RequireLogged(stranger))
    verified = verify(
        receipt, AllOf(STRICT, AnyOf(unmet, TrustedSigners(SIGNER.public_key))), **GIVEN
    )
    assert verified.logged is None  # the branch that looked at the log did not accept
    assert any("log: none" in line for line in verified.assumptions)
    both = AnyOf(AllOf(RequireLogged(LOG_KEY), RequireLogged(stranger)), COSIGNED)
    verified = verify(receipt, AllOf(STRICT, both), **GIVEN)
    assert verified.logged is not None
    assert verified.logged.num_named == 1


def test_attach_keeps_early_proofs_up_to_a_limit(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", [toy_draft()])
    intent = log.entry(0)
    assert isinstance(intent, Intent)
    receipt = issue(
        toy_run(), signer=SIGNER, nonce=NONCE, issued_at=NOW, sequence=sequence_of(intent)
    )
    cosigner = Cosigner(
        tmp_path / "w1.sqlite", name=WITNESS_KEY.name, signer=WITNESS, logs=[LOG_KEY]
    )
    early = []
    for _ in range(9):
        add_cosignatures(log, cosigner)
        early.append(log.prove(0).to_bytes())
        grow(log, [toy_draft(stream="other")])
    grow(log, [Result(intent=0, statement=receipt.receipt_id, time=NOW)])
    add_cosignatures(log, cosigner)
    cosigner.close()
    beside = b"no log proof"
    foreign = log.prove(1, log.cosigned()).to_bytes()  # of another entry
    attached = attach(replace(receipt, evidence=(beside, *early[::-1], foreign)), log)
    assert len(log_proofs(attached)) == 8
    assert log_proofs(attached)[:6] == early[:6]
    assert beside in attached.evidence
    assert foreign not in attached.evidence
    assert attach(attached, log) == attached


def test_a_stream_that_nobody_looks_at_is_refused(receipt: Receipt) -> None:
    verify(receipt, AllOf(STRICT, RequireLogged(LOG_KEY, streams=["live", "b"])), **GIVEN)
    error = refused(receipt, AllOf(STRICT, RequireLogged(LOG_KEY, streams=["b"])))
    assert "stream 'live' is not named" in error.message
    head = 'version = "veridical-policy/v1"\n[[rule]]\ntype = "require_logged"\n'
    policy: Any = loads(f'{head}logs = ["{LOG_KEY}"]\nstreams = ["live"]\n')
    assert policy.rules[0].streams == ("live",)
    wrong: tuple[Any, ...] = ("live", [""], [7])
    for streams in wrong:
        with pytest.raises(PolicyFormatError):
            RequireLogged(LOG_KEY, streams=streams)


def test_one_key_has_one_role() -> None:
    both = NoteKey.of("witness.example/w1", LOG_SIGNER.public_key, role="cosigner")
    with pytest.raises(PolicyFormatError, match="as a log and as a cosigner"):
        RequireLogged(LOG_KEY, cosigners=[both])


@pytest.mark.parametrize(("count", "among"), [(1, 2), (1, 3), (2, 4), (2, 5)])
def test_half_of_the_cosigners_or_fewer_are_asked_for_by_name_only(count: int, among: int) -> None:
    named = [
        NoteKey.of(f"witness.example/{i}", private_key(30 + i).public_key, role="cosigner")
        for i in range(among)
    ]
    with pytest.raises(PolicyFormatError, match="two histories"):
        RequireLogged(LOG_KEY, cosigners=named, min_cosigners=count)
    RequireLogged(LOG_KEY, cosigners=named, min_cosigners=count, allow_split_view=True)
    RequireLogged(LOG_KEY, cosigners=named, min_cosigners=among // 2 + 1)
    RequireLogged(
        LOG_KEY, cosigners=named, min_cosigners=0
    )  # nothing is asked: the verdict says so
    vkeys = ", ".join(f'"{one.vkey}"' for one in named)
    text = (
        'version = "veridical-policy/v1"\n[[rule]]\ntype = "require_logged"\n'
        f'logs = ["{LOG_KEY.vkey}"]\ncosigners = [{vkeys}]\nmin_cosigners = {count}\n'
    )
    with pytest.raises(PolicyFormatError, match="two histories"):
        loads(text)
    loads(text + "allow_split_view = true\n")
    with pytest.raises(PolicyFormatError, match="neither true nor false"):
        loads(text + "allow_split_view = 1\n")


def test_a_policy_file_names_logs_and_cosigners(receipt: Receipt) -> None:
    rule = f'[[rule]]\ntype = "require_logged"\nlogs = ["{LOG_KEY.vkey}"]\n'
    head = 'version = "veridical-policy/v1"\n'
    for text, count in (
        (rule, 0),
        (rule + f'cosigners = ["{WITNESS_KEY.vkey}"]\n', 1),
        (rule + f'cosigners = ["{WITNESS_KEY.vkey}"]\nmin_cosigners = 0\n', 0),
    ):
        policy: Any = loads(head + text)
        assert policy.rules[0].trust.min_cosigners == count
        verify(receipt, AllOf(STRICT, policy), **GIVEN)
    for text in (
        '[[rule]]\ntype = "require_logged"\n',
        rule + "min_cosigners = 1\n",
        rule + f'cosigners = ["{LOG_KEY.vkey}"]\n',
        rule + f'cosigners = ["{WITNESS_KEY.vkey}", "{WITNESS_KEY.vkey}"]\n',
        rule + "min_cosigners = -1\n",
    ):
        with pytest.raises(PolicyFormatError):
            loads(head + text)


def test_errors_of_a_log_are_rejections() -> None:
    for kind in (LogError, CheckpointError, InclusionError, ConsistencyError):
        assert issubclass(kind, VerificationError)
    with pytest.raises(InputError, match="no log"):
        LogTrust(logs=())
