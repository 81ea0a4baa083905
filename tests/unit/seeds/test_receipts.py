"""Receipts with a seed: accepted when it follows from the question, refused by name otherwise."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.toy import NOW, SIGNER
from tests.unit.seeds.scene import (
    KEY,
    OTHER_KEY,
    PROGRAM,
    RUN,
    SAMPLER,
    drawn_receipt,
    judge,
    other_index,
    question,
    require_seed,
)
from veridical.commitment import Commitment, tensors_to_bytes
from veridical.errors import (
    InputError,
    PolicyError,
    PolicyFormatError,
    SeedError,
    StatementMismatchError,
    VerificationError,
)
from veridical.policy import ANY, AllOf, ExpectDecode, TrustedSigners, loads
from veridical.receipt import Parameters, issue
from veridical.receipt.statement import Seed
from veridical.seeds import SampledRun, Sampler, draw, public_bytes
from veridical.seeds.recipe import NewSeed
from veridical.verifier import verify

if TYPE_CHECKING:
    from veridical.receipt import Receipt

ORDER = 2**252 + 27742317777372353535851937790883648493


def refused(check: str, receipt: Receipt, answer: dict[str, Any], *rules: Any) -> VerificationError:
    with pytest.raises(VerificationError) as caught:
        judge(receipt, answer, *rules)
    assert caught.value.check == check
    return caught.value


def with_content(seed: NewSeed, content: bytes, mode: str = "vrf") -> NewSeed:
    return replace(seed, stated=Seed(mode=mode, proof=base64.b64encode(content).decode()))


def test_a_draw_of_the_named_key_is_accepted() -> None:
    receipt, answer = drawn_receipt()
    verified = judge(receipt, answer)
    assert verified.statement.seed.mode == "vrf"
    assert [c.status.value for c in verified.checks if c.name == "seed"] == ["passed"]
    assert answer["y"].shape == (1,)


def test_asked_again_the_key_draws_the_same() -> None:
    first, second = draw(KEY, question()), draw(KEY, question())
    assert first == second
    assert draw(OTHER_KEY, question()).value != first.value


def test_every_part_of_the_question_moves_the_seed() -> None:
    asked = question()
    plain = draw(KEY, asked).value
    for other in (
        replace(asked, model="sha256:" + "0" * 64),
        replace(asked, request_id="order-4712"),
        replace(asked, parameters=Sampler(tensor="y").to_parameters()),
        question(salt=bytes(32)),
        replace(asked, input=Commitment(bytes(32), is_salted=False)),
    ):
        assert draw(KEY, other).value != plain


def test_a_draw_that_was_changed_by_one_is_refused() -> None:
    receipt, answer = drawn_receipt()
    changed = other_index(answer)
    refused("output", receipt, changed)
    # The provider signs the changed draw itself.
    content = Commitment.commit("output.decoded", tensors_to_bytes(changed))
    run = SampledRun(RUN, SAMPLER, draw(KEY, question()).value)
    lie = type("Lie", (SampledRun,), {"outputs": changed})(run.run, run.sampler, run.seed)
    asked = question()
    signed = issue(
        lie,
        signer=SIGNER,
        nonce=asked.request_id,
        issued_at=NOW,
        seed=draw(KEY, asked).stated,
        parameters=asked.parameters,
    )
    assert signed.statement.output.decoded == content
    refused("tier", signed, changed)


def test_the_seed_of_another_key_is_refused() -> None:
    receipt, answer = drawn_receipt(draw(OTHER_KEY, question()))
    assert isinstance(refused("policy", receipt, answer), PolicyError)
    # The same, under the name of the promised key.
    pi = base64.b64decode(receipt.statement.seed.proof)[32:]
    named = with_content(draw(OTHER_KEY, question()), public_bytes(KEY.public_key) + pi)
    assert isinstance(refused("seed.vrf", *drawn_receipt(named)), SeedError)


def test_the_seed_of_another_question_is_refused() -> None:
    other = draw(KEY, question(nonce="a nonce that draws better"))
    refused("seed.vrf", *drawn_receipt(other))


@pytest.mark.parametrize("position", [0, 31, 32, 63, 64, 79, 80, 111])
def test_a_changed_proof_is_refused(position: int) -> None:
    honest = draw(KEY, question())
    content = bytearray(base64.b64decode(honest.stated.proof))
    content[position] ^= 1
    with pytest.raises(VerificationError) as caught:
        judge(*drawn_receipt(with_content(honest, bytes(content))))
    assert caught.value.check in {"seed.key", "seed.vrf"}


def test_a_second_encoding_of_a_proof_is_refused() -> None:
    honest = draw(KEY, question())
    content = base64.b64decode(honest.stated.proof)
    s = int.from_bytes(content[80:], "little") + ORDER
    error = refused(
        "seed.vrf", *drawn_receipt(with_content(honest, content[:80] + s.to_bytes(32, "little")))
    )
    assert "ScalarEncoding" in error.message


def test_a_key_of_small_order_is_refused() -> None:
    honest = draw(KEY, question())
    content = (1).to_bytes(32, "little") + base64.b64decode(honest.stated.proof)[32:]
    refused("seed.key", *drawn_receipt(with_content(honest, content)))


@pytest.mark.parametrize(("mode", "size"), [("vrf", 111), ("vrf", 113), ("vrf+beacon", 112)])
def test_a_proof_of_another_length_is_refused(mode: str, size: int) -> None:
    content = base64.b64decode(draw(KEY, question()).stated.proof).ljust(size, b"\0")[:size]
    refused("seed.format", *drawn_receipt(with_content(draw(KEY, question()), content, mode)))


def test_a_sampler_without_a_seed_is_refused() -> None:
    none = NewSeed(Seed(), bytes(32))
    refused("seed.format", *drawn_receipt(none))


def test_unknown_decode_parameters_are_refused() -> None:
    asked = replace(question(), parameters=Parameters(decode=(("temperature", 1),)))
    refused("seed.format", *drawn_receipt(asked=asked))


def test_another_temperature_is_refused() -> None:
    asked = question(sampler=Sampler(tensor="y", numerator=1))
    seed = draw(KEY, asked)
    run = SampledRun(RUN, Sampler(tensor="y"), seed.value)
    receipt = issue(
        run,
        signer=SIGNER,
        nonce=asked.request_id,
        issued_at=NOW,
        seed=seed.stated,
        parameters=asked.parameters,
    )
    error = refused("policy", receipt, dict(run.outputs))
    assert "expect_decode" in error.message


def test_no_seed_is_not_the_seed_that_was_asked_for() -> None:
    receipt = issue(RUN, signer=SIGNER, nonce=question().request_id, issued_at=NOW)
    rules = (require_seed(), ExpectDecode({}))
    with pytest.raises(PolicyError, match="mode 'none'"):
        judge_plain(receipt, rules)


def judge_plain(receipt: Receipt, rules: tuple[Any, ...]) -> Any:
    policy = AllOf(TrustedSigners(SIGNER.public_key), *rules)
    return verify(receipt, policy, now=NOW, input=RUN.inputs, program=PROGRAM)


def test_a_salt_counts_only_if_it_is_the_clients() -> None:
    salt = bytes(range(32))
    asked = question(salt=salt)
    receipt, answer = drawn_receipt(asked=asked, private=True, client_salt=salt)
    error = refused("policy", receipt, answer)
    assert "neither plain" in error.message
    own = require_seed(input_commitment=str(asked.input))
    judge(receipt, answer, own)
    other = question(salt=bytes(32)).input
    refused(
        "policy",
        receipt,
        answer,
        require_seed(input_commitment=str(other)),
    )
    with pytest.raises(InputError, match="salt is the client's"):
        drawn_receipt(asked=asked, private=True)


def test_a_statement_takes_no_other_mode_and_no_second_base64() -> None:
    receipt, answer = drawn_receipt()
    for stated in (
        Seed(mode="urandom", proof="AAAA"),
        Seed(mode="vrf", proof=""),
        Seed(mode="none", proof="AAAA"),
        Seed(mode="vrf", proof="AAB="),
        Seed(mode="vrf", proof="####"),
        Seed(mode="vrf", proof="A" * 516),
    ):
        changed = replace(receipt, statement=replace(receipt.statement, seed=stated))
        with pytest.raises(VerificationError) as caught:
            judge(changed, answer)
        assert caught.value.check == "format"


def test_rules_come_from_files() -> None:
    pem = KEY.public_key.to_pem().decode()
    head = 'version = "veridical-policy/v1"\n[[rule]]\ntype = "require_seed"\n'
    asked = 'nonce = "a"\nmodels = ["sha256:' + "0" * 64 + '"]\n'
    parameters = 'parameters = {decode = {sampler = "gumbel-max/v1"}}\n'
    key = f'mode = "vrf"\nkeys = ["""{pem}"""]\n'
    rule: Any = loads(head + key + asked + parameters)
    assert (rule.rules[0].nonce, rule.rules[0].parameters.template) == ("a", "")
    free: Any = loads(head + key + 'any = ["nonce", "parameters", "models"]\n')
    assert (free.rules[0].nonce, free.rules[0].parameters, free.rules[0].models) == (ANY, ANY, ANY)
    loads(
        'version = "veridical-policy/v1"\n[[rule]]\ntype = "expect_decode"\n'
        'decode = {sampler = "gumbel-max/v1"}\n'
    )
    for bad in (
        head + key,
        head + key + asked,
        head + key + parameters,
        head + key + asked + 'any = ["nonce", "parameters"]\n',  # both, or neither
        head + key + 'any = ["nonce", "parameters", "models", "input"]\n',
        head + key + asked + "parameters = {decode = {}, draws = 1}\n",
        f'{head}mode = "vrf"\n',
        f'{head}mode = "dice"\nkeys = ["""{pem}"""]\n',
        f'{head}mode = "vrf"\nbeacon = "fastnet"\nkeys = ["""{pem}"""]\n',
        f'{head}mode = "vrf+beacon"\nkeys = ["""{pem}"""]\n',
        f'{head}mode = "vrf"\nlogs = ["x"]\nkeys = ["""{pem}"""]\n',
        'version = "veridical-policy/v1"\n[[rule]]\ntype = "expect_decode"\ndecode = {a = 1.5}\n',
    ):
        with pytest.raises(PolicyFormatError):
            loads(bad)


def test_a_mismatch_is_not_hidden_by_a_good_seed() -> None:
    receipt, answer = drawn_receipt()
    with pytest.raises(StatementMismatchError):
        judge(receipt, answer, input={"x": RUN.inputs["x"] + 1})
