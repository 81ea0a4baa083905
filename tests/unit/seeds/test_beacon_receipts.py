"""Mode `vrf+beacon`: one intent has one round, and was cosigned before the round was due."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.repository import ROOT
from tests.toy import NONCE, NOW, SIGNER
from tests.unit.seeds.scene import KEY, RUN, SAMPLER, judge, question, require_seed
from tests.unit.seeds.test_vectors import other_chain
from tests.unit.tlog.logs import LOG_KEY, LOG_SIGNER, ORIGIN, private_key
from veridical.errors import InputError, PolicyFormatError, SeedError, VerificationError
from veridical.policy import RequireLogged
from veridical.receipt import Receipt, issue
from veridical.seeds import (
    QUICKNET,
    RecordedRounds,
    Round,
    SampledRun,
    SeedProof,
    draw,
    draw_with_beacon,
    drawn_of,
    public_bytes,
)
from veridical.tlog import (
    Cosigner,
    Intent,
    IntentDraft,
    NoteKey,
    Result,
    Writer,
    add_cosignatures,
    attach,
    parameters_digest,
    sequence_of,
)

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = RecordedRounds.load(QUICKNET, ROOT / "vectors" / "seeds" / "quicknet.json")
#: The round of an intent at this time is 1000, one that was recorded.
TIME = QUICKNET.due(1000) - 9
WITNESS = private_key(10)
WITNESS_KEY = NoteKey.of("witness.example/w1", WITNESS.public_key, role="cosigner")
COSIGNED = RequireLogged(LOG_KEY, cosigners=[WITNESS_KEY])
BEACON = require_seed("vrf+beacon", logged=COSIGNED)


def serve(
    folder: Path,
    *,
    seen: int = TIME + 2,
    number: int | None = None,
    mode: str = "vrf+beacon",
    keep_early_proof: bool = True,
) -> tuple[Receipt, dict[str, Any]]:
    """Log an intent, have it cosigned at `seen`, draw, issue, log the result."""
    asked = question()
    log = Writer.create(folder / "log", origin=ORIGIN, signer=LOG_SIGNER)
    clock = [seen]
    cosigner = Cosigner(
        folder / "w1.sqlite",
        name=WITNESS_KEY.name,
        signer=WITNESS,
        logs=[LOG_KEY],
        clock=lambda: clock[0],
    )
    with Writer(log.folder, LOG_SIGNER, clock=lambda: TIME) as writer:
        opened = writer.append(
            IntentDraft(
                stream="live",
                model=asked.model,
                input=str(asked.input),
                parameters=parameters_digest(asked.parameters),
                request_id=NONCE,
                seed=mode,
                seed_key=public_bytes(KEY.public_key).hex(),
            )
        )
        assert isinstance(opened.entry, Intent)
        early = log.prove(opened.index, add_cosignatures(log, cosigner)).to_bytes()
        at = TIME if number is None else QUICKNET.due(number) - 9
        seed = draw_with_beacon(KEY, asked, intent_time=at, beacon=QUICKNET, rounds=ROUNDS)
        assert seed is not None
        run = SampledRun(RUN, SAMPLER, seed.value)
        receipt = issue(
            run,
            signer=SIGNER,
            nonce=NONCE,
            issued_at=NOW,
            seed=seed.stated,
            parameters=asked.parameters,
            sequence=sequence_of(opened.entry),
        )
        writer.append(Result(intent=opened.index, statement=receipt.receipt_id, time=TIME + 9))
    clock[0] = TIME + 10
    add_cosignatures(log, cosigner)
    cosigner.close()
    receipt = attach(receipt, log)
    assert early in receipt.evidence  # it was kept when it was published
    if not keep_early_proof:
        others = tuple(blob for blob in receipt.evidence if blob != early)
        receipt = replace(receipt, evidence=others)
    return receipt, dict(run.outputs)


def refused(check: str, served: tuple[Receipt, dict[str, Any]], *rules: Any) -> VerificationError:
    with pytest.raises(VerificationError) as caught:
        judge(*served, *(rules or (BEACON,)))
    assert caught.value.check == check
    return caught.value


def test_a_genuine_round_after_a_cosigned_intent_is_accepted(tmp_path: Path) -> None:
    receipt, answer = serve(tmp_path)
    verified = judge(receipt, answer, BEACON)
    assert verified.statement.seed.mode == "vrf+beacon"
    assert "round 1000 of quicknet" in next(c.detail for c in verified.checks if c.name == "seed")
    # The order of proofs does not matter.
    judge(replace(receipt, evidence=receipt.evidence[::-1]), answer, BEACON)
    other = require_seed("vrf+beacon", logged=COSIGNED, beacon=other_chain())
    assert "not of beacon 'quicknet-t'" in refused("policy", (receipt, answer), other).message


def test_the_streams_of_the_log_count_for_the_seed_too(tmp_path: Path) -> None:
    served = serve(tmp_path)
    for streams, holds in ((["live"], True), (["other"], False)):
        logged = RequireLogged(LOG_KEY, cosigners=[WITNESS_KEY], streams=streams)
        rule = require_seed("vrf+beacon", logged=logged)
        if holds:
            judge(*served, rule)
        else:
            assert "stream 'live'" in refused("policy", served, rule).message


def test_the_intent_follows_the_question_within_the_time_that_was_given(tmp_path: Path) -> None:
    receipt, answer = serve(tmp_path)

    def timed(asked_at: int, within: int) -> Any:
        return require_seed("vrf+beacon", logged=COSIGNED, asked_at=asked_at, within=within)

    verified = judge(receipt, answer, BEACON)
    assert any("time of asking" in line for line in verified.assumptions)
    for asked_at, within in ((TIME, 0), (TIME - 30, 30), (TIME + 2, 0)):
        verified = judge(receipt, answer, timed(asked_at, within))
        assert not any("time of asking" in line for line in verified.assumptions)
    for asked_at, within in ((TIME - 31, 30), (TIME + 3, 30)):
        error = refused("policy", (receipt, answer), timed(asked_at, within))
        assert f"the intent is of {TIME}" in error.message
    with pytest.raises(PolicyFormatError, match="together"):
        require_seed("vrf+beacon", logged=COSIGNED, asked_at=TIME)
    with pytest.raises(PolicyFormatError, match="at least 0"):
        require_seed("vrf+beacon", logged=COSIGNED, asked_at=TIME, within=-1)


@pytest.mark.parametrize("number", [1, 123, 1001, 1002, 657413])
def test_a_round_that_is_too_early_or_too_late_is_refused(tmp_path: Path, number: int) -> None:
    error = refused("policy", serve(tmp_path, number=number))
    assert f"round {number}, the intent's round is 1000" in error.message


@pytest.mark.parametrize("seen", [QUICKNET.due(1000) - 1, QUICKNET.due(1000) + 3])
def test_an_intent_that_was_cosigned_after_the_round_is_refused(tmp_path: Path, seen: int) -> None:
    error = refused("policy", serve(tmp_path, seen=seen))
    assert "0 cosigners had seen the intent 2 s before round 1000" in error.message


def test_without_the_early_proof_nobody_had_seen_the_intent(tmp_path: Path) -> None:
    served = serve(tmp_path, keep_early_proof=False)
    assert "0 cosigners" in refused("policy", served).message


def test_without_a_log_proof_the_round_is_anybodys(tmp_path: Path) -> None:
    receipt, answer = serve(tmp_path)
    refused("log", (replace(receipt, evidence=()), answer))


def test_the_mode_is_that_of_the_intent(tmp_path: Path) -> None:
    error = refused("log.binding", serve(tmp_path, mode="vrf"))
    assert "'vrf'" in error.message


def test_a_mode_cannot_be_substituted(tmp_path: Path) -> None:
    served = serve(tmp_path)
    error = refused("policy", served, require_seed())
    assert "mode 'vrf+beacon', required: 'vrf'" in error.message


def test_a_round_of_another_chain_is_refused(tmp_path: Path) -> None:
    vector = json.loads((ROOT / "vectors/seeds/quicknet_t.json").read_text())["rounds"][0]
    one = Round(number=1, signature=bytes.fromhex(vector["signature"]))
    receipt, _ = serve(tmp_path)
    for chain in (other_chain(), QUICKNET):
        proof = replace(
            SeedProof.from_statement(receipt.statement.seed), chain=chain.chain, round=one
        )
        moved = replace(receipt, statement=replace(receipt.statement, seed=proof.to_statement()))
        # Whoever edits a statement breaks its envelopes; the seed is judged all the same.
        with pytest.raises(SeedError) as caught:
            drawn_of(moved.statement)
        assert caught.value.check == "seed.beacon"


def test_a_missing_round_voids() -> None:
    at = QUICKNET.due(1004) - 9
    kept = draw_with_beacon(KEY, question(), intent_time=at, beacon=QUICKNET, rounds=ROUNDS)
    assert kept is None


def test_a_source_cannot_give_another_round() -> None:
    class Liar:
        def get(self, number: int) -> Round | None:
            return ROUNDS.get(1001)

    with pytest.raises(InputError, match="gave round 1001"):
        draw_with_beacon(KEY, question(), intent_time=TIME, beacon=QUICKNET, rounds=Liar())

    class Forger:
        def get(self, number: int) -> Round | None:
            one = ROUNDS.get(1001)
            assert one is not None
            return replace(one, number=number)

    with pytest.raises(SeedError):
        draw_with_beacon(KEY, question(), intent_time=TIME, beacon=QUICKNET, rounds=Forger())


def test_the_beacon_moves_the_seed() -> None:
    plain = draw(KEY, question())
    seeds = {plain.value}
    for number in (1000, 1001, 1002):
        at = QUICKNET.due(number) - 9
        new = draw_with_beacon(KEY, question(), intent_time=at, beacon=QUICKNET, rounds=ROUNDS)
        assert new is not None
        seeds.add(new.value)
    assert len(seeds) == 4


def test_a_rule_without_a_cosigner_is_refused() -> None:
    with pytest.raises(PolicyFormatError, match="needs a cosigner"):
        require_seed("vrf+beacon", logged=RequireLogged(LOG_KEY))
    with pytest.raises(PolicyFormatError, match="takes a log"):
        require_seed("vrf+beacon")
    with pytest.raises(PolicyFormatError, match="takes a log"):
        require_seed(logged=COSIGNED)
