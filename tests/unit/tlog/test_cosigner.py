"""Cosigners: what they sign, and every way in which a log can lie to them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.tlog.logs import (
    LOG_KEY,
    NOW,
    ORIGIN,
    draft,
    grow,
    make_log,
    private_key,
    served,
    signed_head,
)
from veridical.errors import CheckpointError, ConsistencyError, InputError, MalformedError
from veridical.tlog import (
    Cosigner,
    Log,
    NoteKey,
    SignedCheckpoint,
    add_cosignatures,
    encode_request,
    require_extends,
)
from veridical.tlog.note import NoteSignature
from veridical.tlog.tree import Hashes, consistency_proof, leaf_hash

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "witness.example/w1"
SIGNER = private_key(10)


@pytest.fixture
def cosigner(tmp_path: Path) -> Iterator[Cosigner]:
    opened = Cosigner(
        tmp_path / "w1.sqlite", name=NAME, signer=SIGNER, logs=[LOG_KEY], clock=lambda: NOW
    )
    yield opened
    opened.close()


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return make_log(tmp_path / "log", served(4))


def fork(log: Log, size: int) -> tuple[SignedCheckpoint, list[bytes]]:
    """Return another history of the same log, signed by its key, and its honest-looking proof."""
    entries = [entry for _, entry in log.reader().entries()]
    entries[2] = draft("hidden").numbered(0, "", origin=ORIGIN, time=NOW).to_bytes()
    entries += [b"more"] * (size - len(entries))
    proof = consistency_proof(
        Hashes([leaf_hash(entry) for entry in entries]), log.head().size, size
    )
    return signed_head(entries), proof


def test_a_log_that_grows_is_cosigned_at_every_step(log: Log, cosigner: Cosigner) -> None:
    for count in (0, 1, 300, 0):
        grow(log, [draft()] * count)
        published = add_cosignatures(log, cosigner)
        assert published == log.cosigned()
        assert published.size == log.head().size
        [one] = published.verify_cosigners([cosigner.key], at_least=1)
        assert one.timestamp == NOW
        proof = log.prove(0)
        assert proof.checkpoint == published
    assert cosigner.head(ORIGIN) is not None
    assert cosigner.conflicts(ORIGIN) == []


def test_the_state_survives(tmp_path: Path, log: Log, cosigner: Cosigner) -> None:
    add_cosignatures(log, cosigner)
    cosigner.close()
    again = Cosigner(tmp_path / "w1.sqlite", name=NAME, signer=SIGNER, logs=[LOG_KEY])
    assert again.add_checkpoint(encode_request(0, [], log.head())).status == 409
    again.close()


def test_a_fork_is_refused_and_kept_as_evidence(log: Log, cosigner: Cosigner) -> None:
    add_cosignatures(log, cosigner)
    size = log.head().size
    for (forked, proof), status, check in (
        (fork(log, size), 409, b"log.fork"),
        (fork(log, size + 3), 422, b"log.consistency"),
    ):
        answer = cosigner.add_checkpoint(encode_request(size, proof, forked))
        assert (answer.status, answer.body.partition(b":")[0]) == (status, check)
        assert answer.content_type.startswith("text/plain")  # not a size to start again from
    evidence = cosigner.conflicts(ORIGIN)
    assert len(evidence) == 1
    for note, cosigned in evidence:  # both notes are signed by the log: they convict its key
        pair = [SignedCheckpoint.from_bytes(one) for one in (note, cosigned)]
        assert [one.verify_log([LOG_KEY]) for one in pair] == [LOG_KEY, LOG_KEY]
    head = cosigner.head(ORIGIN)
    assert head is not None
    assert head.root == log.head().root


def test_a_bad_proof_for_a_good_checkpoint_convicts_nobody(log: Log, cosigner: Cosigner) -> None:
    add_cosignatures(log, cosigner)
    size = log.head().size
    grow(log, [draft()])
    answer = cosigner.add_checkpoint(encode_request(size, [bytes(32)], log.head()))
    assert answer.status == 422
    assert cosigner.conflicts(ORIGIN) == []
    assert add_cosignatures(log, cosigner).size == size + 1


def test_times_never_go_back(tmp_path: Path, log: Log) -> None:
    times = iter((NOW + 90, NOW, NOW + 91))
    one = Cosigner(
        tmp_path / "w.sqlite", name=NAME, signer=SIGNER, logs=[LOG_KEY], clock=lambda: next(times)
    )
    found = []
    for _ in range(3):
        grow(log, [draft()])
        [cosignature] = add_cosignatures(log, one).verify_cosigners([one.key])
        found.append(cosignature.timestamp)
    one.close()
    assert found == [NOW + 90, NOW + 90, NOW + 91]


def test_a_state_that_fails_signs_nothing(log: Log, cosigner: Cosigner) -> None:
    head = log.head()
    cosigner._connection.execute("DROP TABLE heads")
    answer = cosigner.add_checkpoint(encode_request(0, [], head))
    assert answer.status == 500
    assert b"cannot be used" in answer.body
    with pytest.raises(InputError):
        cosigner.cosign(encode_request(0, [], head))


def test_every_answer_waits_for_the_disk(cosigner: Cosigner) -> None:
    [mode] = cosigner._connection.execute("PRAGMA synchronous").fetchone()
    [journal] = cosigner._connection.execute("PRAGMA journal_mode").fetchone()
    assert (mode, journal) == (3, "delete")  # EXTRA: the folder too


def test_a_head_that_is_cosigned_again_does_not_grow(tmp_path: Path, log: Log) -> None:
    times = iter(range(NOW, NOW + 200))
    one = Cosigner(
        tmp_path / "w.sqlite", name=NAME, signer=SIGNER, logs=[LOG_KEY], clock=lambda: next(times)
    )
    sizes = {len(add_cosignatures(log, one).to_bytes()) for _ in range(10)}
    one.close()
    assert len(sizes) == 1
    published = log.cosigned()
    assert published is not None
    [cosignature] = published.verify_cosigners([one.key])
    assert cosignature.timestamp == NOW  # when it was seen first


def test_what_no_reader_takes_is_not_published(log: Log) -> None:
    lines = [NoteSignature(f"w{number}", b"1234", b"x" * 72) for number in range(64)]
    with pytest.raises(InputError, match="cannot be published"):
        log.publish_cosigned(log.head().with_lines(lines))
    assert log.cosigned() is None
    log.publish_cosigned(log.head().with_lines(lines[:63]))
    with pytest.raises(InputError, match="cannot be published"):
        log.publish_cosigned(log.head().with_lines(lines[60:]))
    assert log.cosigned() is not None  # it is still read


def test_a_published_root_is_never_replaced(log: Log, cosigner: Cosigner) -> None:
    published = add_cosignatures(log, cosigner)
    forked, _ = fork(log, published.size)
    with pytest.raises(ConsistencyError):
        log.publish_cosigned(forked)
    assert log.cosigned() == published


def test_earlier_heads_with_cosignatures_are_kept(log: Log, cosigner: Cosigner) -> None:
    first = add_cosignatures(log, cosigner)
    grow(log, [draft()])
    second = add_cosignatures(log, cosigner)
    assert log.first_cosigned(0) == first
    assert log.first_cosigned(second.size - 1) == second
    assert log.first_cosigned(second.size) is None


def test_a_client_with_an_older_checkpoint_finds_the_fork(log: Log) -> None:
    held = log.head()
    for size in (held.size, held.size + 3):
        forked, proof = fork(log, size)
        forked.verify_log([LOG_KEY])  # the signature is genuine
        with pytest.raises(ConsistencyError) as caught:
            require_extends(held, forked, proof)
        assert caught.value.check == "log.consistency"


def test_a_replayed_older_checkpoint_is_refused(log: Log, cosigner: Cosigner) -> None:
    old = log.head()
    grow(log, [draft()])
    new = log.head()
    with pytest.raises(ConsistencyError, match="rolled back"):
        require_extends(new, old, [])
    (log.folder / "checkpoint").write_bytes(old.to_bytes())
    with pytest.raises(ConsistencyError, match="rolled back"):
        log.follow(new)
    (log.folder / "checkpoint").write_bytes(new.to_bytes())
    add_cosignatures(log, cosigner)
    assert cosigner.add_checkpoint(encode_request(new.size, [], old)).status == 400
    assert cosigner.add_checkpoint(encode_request(old.size, [], old)).status == 409
    (log.folder / "checkpoint").write_bytes(old.to_bytes())
    with pytest.raises(ConsistencyError):
        add_cosignatures(log, cosigner)


def test_a_checkpoint_of_another_log_is_no_successor(log: Log) -> None:
    other = signed_head([b"x"] * 9, origin="log.example/other")
    with pytest.raises(CheckpointError) as caught:
        require_extends(log.head(), other, [])
    assert caught.value.check == "log.origin"


def test_answers_are_those_of_the_protocol(log: Log, cosigner: Cosigner) -> None:
    head = log.head()
    good = encode_request(0, [], head)
    other = signed_head([b"a"], origin="log.example/other")
    unsigned = SignedCheckpoint(
        head.checkpoint, replace(head.note, signatures=(NoteSignature("a", b"1234", b"x"),))
    )
    [line] = head.note.signatures
    broken = SignedCheckpoint(
        head.checkpoint,
        replace(head.note, signatures=(replace(line, signature=bytes(64)),)),
    )
    empty = signed_head([])
    for body, status in (
        (encode_request(0, [], other), 404),
        (encode_request(0, [], unsigned), 403),
        (encode_request(0, [], broken), 403),
        (encode_request(head.size + 1, [], head), 400),
        (encode_request(3, [], head), 409),
        (encode_request(0, [bytes(32)], head), 422),
        (encode_request(0, [bytes(32)] * 64, head), 400),
        (encode_request(0, [bytes(31)], head), 400),
        (good.replace(b"old 0", b"old 00"), 400),
        (good.replace(b"old 0", b"new 0"), 400),
        (good.replace(b"old 0\n", b"old 0\n?\n"), 400),
        (good.replace(b"old 0", "öld 0".encode()), 400),
        (b"", 400),
        (b"x" * 100_000, 400),
        (encode_request(0, [], empty), 200),
        (good, 200),
        (good, 409),
        (encode_request(head.size, [], head), 200),
    ):
        assert cosigner.add_checkpoint(body).status == status, body[:40]
    stale = cosigner.add_checkpoint(good)
    assert (stale.body, stale.content_type) == (f"{head.size}\n".encode(), "text/x.tlog.size")
    answer = cosigner.add_checkpoint(encode_request(head.size, [], head))
    signed = SignedCheckpoint.from_bytes(head.to_bytes() + answer.body)
    assert len(signed.verify_cosigners([cosigner.key], at_least=1)) == 1


def test_of_two_histories_that_come_at_once_one_is_signed(tmp_path: Path, log: Log) -> None:
    """Two processes share one state here, as after a restart that overlaps."""
    both = [
        Cosigner(tmp_path / "w.sqlite", name=NAME, signer=SIGNER, logs=[LOG_KEY]) for _ in range(2)
    ]
    head = log.head()
    requests = [encode_request(0, [], head), encode_request(0, [], fork(log, head.size)[0])]
    requests += [encode_request(head.size, [], head)]
    requests += [encode_request(head.size, [], fork(log, head.size)[0])]
    start = threading.Barrier(16)

    def ask(number: int) -> list[tuple[int, int]]:
        start.wait()
        wanted = [(number + i) % len(requests) for i in range(8)]
        return [
            (which % 2, both[number % 2].add_checkpoint(requests[which]).status) for which in wanted
        ]

    with ThreadPoolExecutor(16) as pool:
        answers = [one for found in pool.map(ask, range(16)) for one in found]
    signed = {history for history, status in answers if status == 200}
    assert len(signed) == 1
    assert {status for _, status in answers} <= {200, 409}
    roots = {one.head(ORIGIN).root for one in both}  # type: ignore[union-attr]
    assert len(roots) == 1
    for one in both:
        one.close()


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_changed_request_is_answered_and_never_fails(
    parts: tuple[Cosigner, list[bytes]], data: Any
) -> None:
    one, bodies = parts
    body = bytearray(data.draw(st.sampled_from(bodies)))
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(body) - 1))
        kind = data.draw(st.sampled_from("xid"))
        if kind == "x":
            body[position] ^= data.draw(st.integers(1, 255))
        elif kind == "i":
            body[position:position] = data.draw(st.binary(max_size=40))
        else:
            del body[position : position + data.draw(st.integers(1, 40))]
        body = body or bytearray(b"\n")
    before = one.head(ORIGIN)
    answer = one.add_checkpoint(bytes(body))
    assert answer.status in {200, 400, 403, 404, 409, 422}
    if answer.status != 200:
        assert one.head(ORIGIN) == before


@pytest.fixture(scope="module")
def parts(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Cosigner, list[bytes]]]:
    """Return a cosigner, and honest requests of a log that it cosigns."""
    folder = tmp_path_factory.mktemp("parts")
    log = make_log(folder / "log", served(4))
    first = log.head()
    later = grow(log, [draft()] * 20)
    one = Cosigner(folder / "w.sqlite", name=NAME, signer=SIGNER, logs=[LOG_KEY])
    assert one.add_checkpoint(encode_request(0, [], first)).status == 200
    proof = log.prove_consistency(first.size, later.size)
    yield one, [encode_request(0, [], first), encode_request(first.size, proof, later)]
    one.close()


def test_a_request_of_a_stranger_changes_nothing(log: Log, cosigner: Cosigner) -> None:
    thief = private_key(66)
    key = NoteKey.of(ORIGIN, thief.public_key, role="log")
    forged = SignedCheckpoint.sign(log.head().checkpoint, key, thief)
    assert cosigner.add_checkpoint(encode_request(0, [], forged)).status == 403
    assert cosigner.head(ORIGIN) is None
    with pytest.raises(MalformedError):
        cosigner.cosign(b"old 0\n\n")


def test_signatures_of_others_are_not_vouched_for(log: Log, cosigner: Cosigner) -> None:
    head = log.head().with_lines([NoteSignature("stranger.example", b"1234", b"x" * 72)])
    assert cosigner.add_checkpoint(encode_request(0, [], head)).status == 200
    kept = cosigner.head(ORIGIN)
    assert kept is not None
    assert {line.name for line in kept.note.signatures} == {ORIGIN, NAME}


def test_cosignatures_of_one_head_are_collected(tmp_path: Path, log: Log) -> None:
    keys = []
    for number in (1, 2):
        one = Cosigner(
            tmp_path / f"{number}.sqlite",
            name=f"witness.example/w{number}",
            signer=private_key(20 + number),
            logs=[LOG_KEY],
        )
        add_cosignatures(log, one)
        keys.append(one.key)
        one.close()
    published = log.cosigned()
    assert published is not None
    assert len(published.verify_cosigners(keys, at_least=2)) == 2
    with pytest.raises(InputError, match="cosigned already"):
        log.publish_cosigned(signed_head([b"old"]))
