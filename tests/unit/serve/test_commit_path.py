"""What is written before what, when databases, logs and processes fail between two steps."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError, OperationalError

import veridical
from tests.unit.serve.conftest import EXAMPLE
from veridical import keys, policy, tlog
from veridical.errors import InputError, LogError
from veridical.inference_protocol import InferRequest, ProtocolError
from veridical.keys import PrivateKey
from veridical.receipt import Parameters
from veridical.serve import Gateway, Settings
from veridical.serve.accounts import ANONYMOUS
from veridical.serve.intents import TransparencyLog
from veridical.serve.options import Options
from veridical.serve.storage import Answered, FencedError, Store
from veridical.tlog import IntentDraft

if TYPE_CHECKING:
    from pathlib import Path

    from veridical.serve.lanes import Answer

DIGEST = "sha256:" + "7c" * 32


def question(value: float = 0.5) -> InferRequest:
    array = np.full((1, 3), value, np.float32)
    return InferRequest(id="", inputs={"x": array}, parameters={}, items=1)


def options(nonce: str = "n", *, deadline_ms: int = 20_000, salt: bytes | None = None) -> Options:
    return Options(
        tier="reexecution", nonce=nonce, deadline_ms=deadline_ms, salt=salt, has_receipt=True
    )


def ask(gateway: Gateway, *asked: tuple[InferRequest, Options]) -> list[Answer | BaseException]:
    """Ask all at once."""
    model = gateway.models["example"]

    async def all_of_them() -> list[Any]:
        answers = [
            gateway.answer(model, one, how, ANONYMOUS, request_id=str(place))
            for place, (one, how) in enumerate(asked)
        ]
        return await asyncio.gather(*answers, return_exceptions=True)

    return [one if isinstance(one, BaseException) else one[0] for one in asyncio.run(all_of_them())]


def log_of(gateway: Gateway) -> tlog.Log:
    assert isinstance(gateway.log, TransparencyLog)
    return gateway.log.log


def audited(log: tlog.Log) -> dict[str, int]:
    """Return how many intents, results, voids and open intents a log has; it has no defects."""
    tlog.fsck(log)
    found = tlog.audit(entry for _, entry in log.reader().entries())
    assert not found.findings
    assert len(found.streams) <= 1
    for stream in found.streams.values():
        return {
            "intents": len(stream.intents),
            "results": stream.num_results,
            "voids": stream.num_voids,
            "open": len(stream.open_intents),
        }
    return {}


def write_intents(state: Path, count: int) -> None:
    """Log intents that nobody runs, as a gateway does that is killed after step 1."""
    signer = PrivateKey.load(state / "log.key")
    draft = IntentDraft(stream="example", model=DIGEST, input=DIGEST, parameters=DIGEST)
    with tlog.Writer(state / "log", signer) as writer:
        writer.append_all([draft] * count)


def test_many_at_once_are_logged_kept_and_verify(gateway: Gateway) -> None:
    asked = [(question(i / 64), options(f"n-{i}")) for i in range(40)]
    asked.append((question(), options("late", deadline_ms=-1)))
    answers = ask(gateway, *asked)
    late = answers.pop()
    assert isinstance(late, ProtocolError)
    assert late.status == 504
    program = veridical.load(EXAMPLE)
    for (one, how), answer in zip(asked, answers, strict=False):
        assert not isinstance(answer, BaseException)
        verified = veridical.verify(
            gateway.receipt(answer.receipt_id, ANONYMOUS),
            policy.AllOf(
                policy.TrustedSigners(gateway.signer.public_key),
                policy.Nonce(how.nonce),
                policy.RequireLogged(log_of(gateway).key),
            ),
            now=time.time(),
            input=one.inputs,
            output=answer.outputs,
            program=program,
        )
        assert verified.receipt_id == answer.receipt_id
    assert audited(log_of(gateway)) == {"intents": 40, "results": 40, "voids": 0, "open": 0}


def test_one_that_the_program_refuses_does_not_fail_the_others(gateway: Gateway) -> None:
    answers = ask(
        gateway,
        (question(), options("1")),
        (question(np.inf), options("2")),
        (question(), options("3")),
    )
    assert [isinstance(one, ProtocolError) for one in answers] == [False, True, False]
    deadline = time.monotonic() + 10
    while audited(log_of(gateway))["open"] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert audited(log_of(gateway)) == {"intents": 3, "results": 2, "voids": 1, "open": 0}


def test_another_log_on_the_same_database_gets_no_result_of_the_first(
    settings: Settings, tmp_path: Path
) -> None:
    first = Gateway(settings)
    assert len(ask(first, (question(), options()))) == 1
    first.close()
    other = replace(settings, state=tmp_path / "other")
    Gateway(other).close()
    write_intents(other.state, 2)  # at leaf 0, where the first log has an answered intent
    second = Gateway(other)
    assert second.recovered == (0, 2)
    assert audited(log_of(second)) == {"intents": 2, "results": 0, "voids": 2, "open": 0}
    second.close()


def test_a_log_that_was_rolled_back_is_not_gone_on_with(settings: Settings) -> None:
    Gateway(settings).close()
    shutil.copytree(settings.state / "log", settings.state / "kept")
    gateway = Gateway(settings)
    ask(gateway, (question(), options()))
    gateway.close()
    shutil.rmtree(settings.state / "log")
    (settings.state / "kept").rename(settings.state / "log")
    with pytest.raises(InputError, match="has an answer for leaf"):
        Gateway(settings)
    write_intents(settings.state, 2)  # as many leaves as before, and others
    forked = Gateway(settings)
    assert forked.recovered == (0, 2), "the answer states another intent than the one at its leaf"
    forked.close()


def test_an_answer_that_was_kept_becomes_a_result_at_the_next_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = Gateway(settings)
    commit = gateway.log.commit

    def breaks(drafts: Any, closings: Any) -> Any:
        if closings:
            raise LogError("the disk is gone")
        return commit(drafts, closings)

    monkeypatch.setattr(gateway.log, "commit", breaks)
    (answer,) = ask(gateway, (question(), options()))
    assert isinstance(answer, LogError), "an answer whose result is not logged is not handed out"
    gateway.close()
    again = Gateway(settings)
    assert again.recovered == (1, 0)
    assert audited(log_of(again)) == {"intents": 1, "results": 1, "voids": 0, "open": 0}
    again.close()


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_database_that_goes_away_leaves_no_intent_open(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, is_kept: bool
) -> None:
    add, settle = gateway.store.add_answers, gateway.store.settle
    away = OperationalError("COMMIT", {}, Exception("the server closed the connection"))
    is_back = threading.Event()

    def lost(answers: Any) -> Any:
        if is_kept:
            add(answers)
        raise away

    def refused(leaves: Any) -> Any:
        if not is_back.is_set():
            raise away
        return settle(leaves)

    monkeypatch.setattr(gateway.store, "add_answers", lost)
    monkeypatch.setattr(gateway.store, "settle", refused)
    (answer,) = ask(gateway, (question(), options("1")))
    assert isinstance(answer, OperationalError)
    monkeypatch.setattr(gateway.store, "add_answers", add)
    (answer,) = ask(gateway, (question(), options("2")))
    assert isinstance(answer, ProtocolError), "no intents are logged while nothing can be kept"
    assert answer.status == 503
    is_back.set()
    deadline = time.monotonic() + 10  # nobody has to ask again
    while audited(log_of(gateway))["open"] and time.monotonic() < deadline:
        time.sleep(0.02)
    expected = {"intents": 1, "results": int(is_kept), "voids": int(not is_kept), "open": 0}
    assert audited(log_of(gateway)) == expected
    (answer,) = ask(gateway, (question(), options("3")))
    assert not isinstance(answer, BaseException)


def kept(leaf: int, name: str = "a") -> Answered:
    return Answered(
        receipt_id=f"sha256:{name * 64}",
        bundle=b"{}",
        question=b"q",
        key_id="",
        model="example",
        items=1,
        quoted=1,
        cost=1,
        leaf=leaf,
        intent=DIGEST,
    )


def test_a_commit_that_is_under_way_is_waited_for(store: Store) -> None:
    """A void for an intent whose answer arrives a moment later would be a lie."""
    store.hold_log("log+1+key", size=0)
    reached, goes_on = threading.Event(), threading.Event()

    def pause(_: object) -> None:
        if not reached.is_set():  # the first one only
            reached.set()
            goes_on.wait(20)

    event.listen(store._answers, "commit", pause)
    adding = threading.Thread(target=store.add_answers, args=([kept(4)],))
    adding.start()
    assert reached.wait(20)
    found: list[Any] = []
    settling = threading.Thread(target=lambda: found.append(store.settle([4])))
    settling.start()
    settling.join(0.3)
    assert settling.is_alive(), "it says what is kept before that is known"
    goes_on.set()
    settling.join(20)
    adding.join(20)
    assert found[0][4].receipt_id == kept(4).receipt_id
    assert store.add_answers([kept(5, "b")]) == {}, "the process itself goes on"


def test_who_lost_the_log_keeps_nothing_more(store: Store, database: str) -> None:
    store.hold_log("log+1+key", size=0)
    other = Store(database)
    other.hold_log("log+1+key", size=0)
    with pytest.raises(FencedError):
        store.add_answers([kept(4)])
    with pytest.raises(FencedError):
        store.settle([4])
    with pytest.raises(FencedError):
        store.require_reachable()
    other.require_reachable()
    assert other.settle([4]) == {}
    other.close()


def test_one_bad_row_does_not_fail_the_others(store: Store) -> None:
    store.hold_log("log+1+key", size=0)
    assert store.add_answers([kept(1)]) == {}
    refused = store.add_answers([kept(2, "b"), kept(1, "c"), kept(3, "d")])
    assert list(refused) == [1]
    assert isinstance(refused[1], IntegrityError)
    assert set(store.settle([1, 2, 3])) == {1, 2, 3}
    assert store.settle([1])[1].receipt_id == kept(1).receipt_id


def test_without_a_log_one_statement_made_twice_is_one_receipt(settings: Settings) -> None:
    gateway = Gateway(replace(settings, is_logged=False))
    asked = [(question(), options("same"))] * 3
    answers = ask(gateway, *asked) + ask(gateway, *asked)
    ids = {one.receipt_id for one in answers if not isinstance(one, BaseException)}
    assert len(ids) == 1
    assert all(not isinstance(one, BaseException) for one in answers)
    (line,) = gateway.store.usage("")
    assert line.receipts == 6
    receipt = gateway.receipt(ids.pop(), ANONYMOUS)
    assert not receipt.statement.sequence.stream
    gateway.close()


def test_a_gateway_with_a_key_for_seeds_states_seeds(settings: Settings, tmp_path: Path) -> None:
    seed_key = keys.generate()
    seed_key.save(tmp_path / "seed.key")
    gateway = Gateway(replace(settings, seed_key=tmp_path / "seed.key"))
    salt = b"s" * 32
    one = question()
    (answer,) = ask(gateway, (one, options("n-1", salt=salt)))
    assert not isinstance(answer, BaseException)
    receipt = gateway.receipt(answer.receipt_id, ANONYMOUS)
    program = veridical.load(EXAMPLE)
    logged = policy.RequireLogged(log_of(gateway).key)

    def rule(key: keys.PublicKey) -> policy.AllOf:
        return policy.AllOf(
            policy.TrustedSigners(gateway.signer.public_key),
            logged,
            policy.RequireSeed(
                "vrf",
                key,
                nonce="n-1",
                parameters=Parameters(),
                models=[program.digest],
                input_commitment=str(receipt.statement.input.received),
            ),
        )

    veridical.verify(
        receipt, rule(seed_key.public_key), now=time.time(), input=one.inputs, program=program
    )
    with pytest.raises(veridical.errors.Error):
        veridical.verify(
            receipt,
            rule(keys.generate().public_key),
            now=time.time(),
            input=one.inputs,
            program=program,
        )
    gateway.close()
