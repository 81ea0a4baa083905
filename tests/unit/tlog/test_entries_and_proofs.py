"""Entries and log proofs: one encoding each, and everything else refused by name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.tlog.logs import LOG_KEY, NOW, ORIGIN, chain, draft, make_log, served
from veridical.errors import (
    DuplicateKeyError,
    InclusionError,
    InputError,
    MalformedError,
    OversizeError,
    VerificationError,
)
from veridical.tlog import (
    Entry,
    LogProof,
    LogTrust,
    Result,
    Void,
    entry_from_bytes,
    verify_proof,
)
from veridical.tlog.entry import require_valid

if TYPE_CHECKING:
    from pathlib import Path

ENTRIES: list[Entry] = [
    *chain(2),
    Result(intent=0, statement="sha256:" + "0d" * 32, time=NOW),
    Void(intent=1, reason="timeout", time=NOW),
]
INTENT = chain(2)[1].to_bytes()


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_is_read_as_it_was_written(entry: Entry) -> None:
    assert entry_from_bytes(require_valid(entry)) == entry


def test_the_chain_of_a_stream_names_the_intent_before() -> None:
    first, second, third = chain(3)
    assert (first.previous, second.previous, third.previous) == ("", first.digest, second.digest)
    assert len({first.digest, second.digest, third.digest}) == 3


def test_a_key_that_stands_twice_is_refused() -> None:
    twice = INTENT.replace(b'"number":1', b'"number":1,"number":1')
    with pytest.raises(DuplicateKeyError) as caught:
        entry_from_bytes(twice)
    assert caught.value.check == "log.entry"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"veridical-intent/v1", b"veridical-intent/v2"),
        (b'"type":"veridical-intent/v1"', b'"type":1'),
        (b'"number":1', b'"number":-1'),
        (b'"number":1', b'"number":0'),
        (b'"number":1', b'"number":1.0'),
        (b'"stream":"live"', b'"stream":""'),
        (b'"seed":"none"', b'"seed":"mine"'),
        (b'"seed":"none"', b'"seed":"vrf"'),
        (b'"seed_key":""', b'"seed_key":"' + b"0a" * 32 + b'"'),
        (b'"seed":"none","seed_key":""', b'"seed":"vrf","seed_key":"' + b"0A" * 32 + b'"'),
        (b'"origin":"log.example/provider"', b'"origin":""'),
        (b'"origin":"log.example/provider",', b""),
        (b"sha256-salted:", b"md5:"),
        (b'"model":"sha256:', b'"model":"sha512:'),
        (b'"number"', b'"numbers"'),
        (b'{"input"', b'{ "input"'),
        (b'"}', b'"}\n'),
        (b'"request_id":""', b'"request_id":"' + b"x" * 4096 + b'"'),
        (INTENT, b"[]"),
        (INTENT, b""),
    ],
)
def test_what_is_no_entry_is_refused(old: bytes, new: bytes) -> None:
    assert old in INTENT
    with pytest.raises(MalformedError) as caught:
        entry_from_bytes(INTENT.replace(old, new, 1))
    assert caught.value.check == "log.entry"


@pytest.mark.parametrize(
    "entry",
    [
        draft(stream="").numbered(0, "", origin=ORIGIN, time=NOW),
        draft(stream="ä").numbered(0, "", origin=ORIGIN, time=NOW),
        draft().numbered(0, "", origin=ORIGIN, time=-1),
        draft().numbered(1, "", origin=ORIGIN, time=NOW),
        Void(intent=0, reason="", time=NOW),
        Result(intent=0, statement="", time=NOW),
    ],
)
def test_an_entry_that_no_reader_takes_is_not_written(entry: Entry) -> None:
    with pytest.raises(InputError):
        require_valid(entry)


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> LogProof:
    return make_log(tmp_path_factory.mktemp("proof") / "log", served(20)).prove(7)


TRUST = LogTrust(logs=(LOG_KEY,))


def test_a_log_proof_is_read_as_it_was_written(proof: LogProof) -> None:
    content = proof.to_bytes()
    assert LogProof.is_one(content)
    assert LogProof.from_bytes(content) == proof
    again, key, entry = verify_proof(content, TRUST)
    assert (again, key) == (proof, LOG_KEY)
    assert entry == Result(intent=6, statement=f"sha256:{6:064x}", time=NOW)


@given(data=st.data())
def test_every_changed_byte_of_a_log_proof_is_refused(proof: LogProof, data: Any) -> None:
    content = bytearray(proof.to_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(VerificationError) as caught:
        verify_proof(bytes(content), TRUST)
    assert str(caught.value.check).startswith("log.")


def test_a_proof_at_another_index_is_refused(proof: LogProof) -> None:
    for moved in (replace(proof, index=6), replace(proof, index=39), replace(proof, index=2**62)):
        with pytest.raises(InclusionError) as caught:
            verify_proof(moved.to_bytes(), TRUST)
        assert caught.value.check == "log.inclusion"


def test_another_entry_is_refused(proof: LogProof) -> None:
    with pytest.raises(InclusionError):
        verify_proof(replace(proof, entry=INTENT).to_bytes(), TRUST)


def test_a_proof_of_another_length_is_refused(proof: LogProof) -> None:
    for nodes in (proof.nodes[:-1], (*proof.nodes, bytes(32)), ()):
        with pytest.raises(InclusionError, match="nodes"):
            verify_proof(replace(proof, nodes=nodes).to_bytes(), TRUST)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"@v1\n", b"@v2\n"),
        (b"extra ", b"extras "),
        (b"index 7", b"index 07"),
        (b"index 7", b"index -7"),
        (b"index 7\n", b""),
        (b"\n\nlog.example", b"\nlog.example"),
        (b"index 7\n", b"index 7\nAAAA\n"),
        (b"index 7\n", b"index 7\n!\n"),
        (b"extra ", b"extra \xc3\xa4"),
    ],
)
def test_what_is_no_log_proof_is_refused(proof: LogProof, old: bytes, new: bytes) -> None:
    content = proof.to_bytes()
    assert old in content
    with pytest.raises(MalformedError) as caught:
        LogProof.from_bytes(content.replace(old, new, 1))
    assert caught.value.check == "log.format"


def test_an_oversized_log_proof_is_refused(proof: LogProof) -> None:
    for big in (
        proof.to_bytes() + bytes(65536),
        replace(proof, nodes=(bytes(32),) * 64).to_bytes(),
        replace(proof, entry=b"x" * 4097).to_bytes(),
        replace(proof, entry=b"").to_bytes(),
    ):
        with pytest.raises((OversizeError, MalformedError)) as caught:
            LogProof.from_bytes(big)
        assert caught.value.check == "log.format"


def test_a_log_without_the_leaf_proves_nothing(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", served(2))
    with pytest.raises(InputError, match="no leaf 3"):
        log.prove(3)
    with pytest.raises(InputError, match="no leaf 3"):
        log.entry(3)
