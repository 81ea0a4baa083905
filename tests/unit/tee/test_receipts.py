"""Receipts that rest on hardware: every family, both purposes, and what stops the rest."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace

import pytest

from tests.toy import NOW, OTHER_SIGNER, PROGRAM, SIGNER, X, toy_run
from tests.unit.tee.scenes import (
    CHALLENGE,
    CONTEXT,
    PROCESSORS,
    key_set,
    naming,
    receipt,
    simulator,
)
from veridical.errors import CollateralError, Error, InputError, QuoteError, UndecidedError
from veridical.policy import AllOf, AnyOf, Policy, RequireTee, RequireTier, TrustedSigners, loads
from veridical.receipt import Receipt, issue
from veridical.tee import Collateral, Family, Freshness, FreshnessKind, Purpose, TeePolicy
from veridical.tee.context import TeeContext
from veridical.tee.evidence import Tee, TeeEvidence, attest_batch
from veridical.tee.runtime import MODEL_EVENT, Event
from veridical.tee.simulator import Simulator
from veridical.tee.simulator.intel import SimulatedIntel
from veridical.tee.simulator.snp import SimulatedSnp
from veridical.verifier import Standing, Verified, explain, verify


def judged(made: Receipt, policy: Policy, context: TeeContext = CONTEXT) -> Verified:
    return verify(made, policy, now=NOW, tee=context)


def of_keys(attester: Simulator) -> Receipt:
    return receipt(Tee.of_keys(attester, key_set(), CHALLENGE))


@pytest.mark.parametrize("family", PROCESSORS)
@pytest.mark.parametrize("gpus", [0, 2])
def test_a_quote_over_keys_is_accepted_where_the_simulator_is_named(
    family: Family, gpus: int
) -> None:
    attester = simulator(family, gpus=gpus)
    verified = judged(of_keys(attester), naming(attester, gpus=gpus))
    assert verified.tier == "tee"
    assert verified.attested is not None
    assert verified.attested.purpose is Purpose.KEY_SET
    assert len(verified.attested.quotes) == 1 + gpus
    assert verified.assumptions[0].startswith("SIMULATED")


@pytest.mark.parametrize("family", PROCESSORS)
def test_a_quote_over_the_statement_is_accepted_where_the_simulator_is_named(
    family: Family,
) -> None:
    attester = simulator(family)
    verified = judged(receipt(Tee.of_statements(attester)), naming(attester))
    assert verified.attested is not None
    assert verified.attested.purpose is Purpose.STATEMENTS
    assert any("age of the quote" in line for line in verified.assumptions)


@pytest.mark.parametrize("family", PROCESSORS)
def test_a_simulated_receipt_matches_nothing_and_says_so(family: Family) -> None:
    attester = simulator(family)
    report = explain(of_keys(attester), naming(attester), now=NOW, tee=CONTEXT)
    assert report.verified is not None
    assert set(report.verified.properties.values()) == {Standing.COMMITTED_ONLY}
    (tier,) = [check for check in report.checks if check.number == 14]
    assert "SIMULATED" in tier.detail
    assert report.verified.to_value()["hardware"]


POLICIES: list[Policy] = [
    TrustedSigners(SIGNER.public_key),
    AllOf(TrustedSigners(SIGNER.public_key), RequireTier("tee")),
    AllOf(TrustedSigners(SIGNER.public_key), RequireTee()),
    AllOf(TrustedSigners(SIGNER.public_key), AnyOf(RequireTier("tee"), RequireTier("zk"))),
    AllOf(
        TrustedSigners(SIGNER.public_key),
        AnyOf(RequireTee(TeePolicy(simulators=frozenset({"0" * 64}))), RequireTier("tee")),
    ),
]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("family", PROCESSORS)
def test_no_policy_that_does_not_name_the_simulator_accepts_it(
    family: Family, policy: Policy
) -> None:
    with pytest.raises(QuoteError) as raised:
        judged(of_keys(simulator(family)), policy)
    assert raised.value.check == "tee.simulated"


def test_the_branch_that_accepts_is_the_one_that_has_to_ask() -> None:
    attester = simulator()
    named = RequireTee(TeePolicy(simulators=frozenset({attester.fingerprint})))
    policy = AllOf(TrustedSigners(SIGNER.public_key), AnyOf(RequireTier("tee"), named))
    assert judged(of_keys(attester), policy).tier == "tee"


@pytest.mark.parametrize("family", PROCESSORS)
def test_without_a_trusted_time_nothing_is_accepted(family: Family) -> None:
    attester = simulator(family)
    with pytest.raises(CollateralError) as raised:
        judged(of_keys(attester), naming(attester), TeeContext())
    assert raised.value.check == "tee.time"


def test_without_collateral_nothing_is_decided_and_the_verifiers_own_helps() -> None:
    attester = simulator()
    tee = Tee.of_keys(attester, key_set(), CHALLENGE)
    assert tee.keys is not None
    bare = receipt(Tee(keys=replace(tee.keys, collateral=Collateral())))
    with pytest.raises(UndecidedError) as raised:
        judged(bare, naming(attester))
    assert raised.value.check == "tee.collateral-missing"
    own = TeeContext(time=NOW, collateral=tee.keys.collateral)
    assert judged(bare, naming(attester), own).tier == "tee"


def test_stale_collateral_is_undecided() -> None:
    attester = simulator()
    later = NOW + 40 * 86400
    made = issue(
        toy_run(),
        signer=SIGNER,
        issued_at=later,
        evidence=Tee.of_keys(attester, key_set(last=later + 1), CHALLENGE),
    )
    with pytest.raises(UndecidedError) as raised:
        verify(made, naming(attester), now=later, tee=TeeContext(time=later))
    assert raised.value.check == "tee.collateral-stale"


def test_a_batch_shares_its_quotes() -> None:
    attester = simulator()
    plain = [issue(toy_run(), signer=SIGNER, issued_at=NOW, nonce=f"n{i}") for i in range(5)]
    digests = [bytes.fromhex(one.receipt_id.removeprefix("sha256:")) for one in plain]
    made = attest_batch(attester, digests)
    assert len({evidence.quotes for evidence in made}) == 1
    for index, evidence in enumerate(made):
        signed = issue(
            toy_run(),
            signer=SIGNER,
            issued_at=NOW,
            nonce=f"n{index}",
            evidence=Tee(keys=evidence),
        )
        assert judged(signed, naming(attester)).receipt_id == plain[index].receipt_id
    # The place of another statement leads to another root.
    wrong = issue(toy_run(), signer=SIGNER, issued_at=NOW, nonce="n0", evidence=Tee(keys=made[1]))
    with pytest.raises(QuoteError) as raised:
        judged(wrong, naming(attester))
    assert raised.value.check == "tee.binding"


def test_a_measured_model_is_attested_and_another_is_not() -> None:
    base = simulator()
    assert isinstance(base.machine, SimulatedIntel)
    for digest, is_measured in ((PROGRAM.digest, True), (bytes(32), False)):
        events = (Event.of_application(MODEL_EVENT, digest),)
        attester = replace(base, machine=replace(base.machine, events=events))
        verified = judged(of_keys(attester), naming(attester))
        assert verified.attested is not None
        assert verified.attested.is_model_measured is is_measured
        said = any("model weights" in line for line in verified.assumptions)
        assert said is not is_measured
        if not is_measured:
            with pytest.raises(QuoteError) as raised:
                judged(of_keys(attester), naming(attester, require_model=True))
            assert raised.value.check == "tee.model"


CHANGES = [
    (Family.TDX, {"debug": True}, {}, "tee.debug"),
    (Family.SGX, {"debug": True}, {}, "tee.debug"),
    (Family.SEV_SNP, {"debug": True}, {}, "tee.debug"),
    (Family.NITRO, {"debug": True}, {}, "tee.debug"),
    (Family.SEV_SNP, {"vmpl": 2}, {}, "tee.vmpl"),
    (Family.SEV_SNP, {"generation": "milan"}, {}, "tee.generation"),
    (Family.SEV_SNP, {}, {"min_tcb": {"genoa": {"reported.snp": 24}}}, "tee.tcb"),
    (Family.SEV_SNP, {}, {"smt": False}, "tee.platform-option"),
    (Family.TDX, {"status": "OutOfDate"}, {}, "tee.status"),
    (Family.TDX, {"advisories": ("INTEL-SA-09999",)}, {}, "tee.advisory"),
    (Family.TDX, {}, {"min_evaluation": 21}, "tee.rollback"),
    (Family.TDX, {}, {"measurements": ({"mr_td": "00" * 48},)}, "tee.measurement"),
    (Family.NITRO, {}, {"measurements": ({"pcr0": "00" * 48},)}, "tee.measurement"),
    (Family.TDX, {}, {"platforms": frozenset({"00" * 16})}, "tee.platform"),
    (Family.TDX, {}, {"families": frozenset({"sgx"})}, "tee.family"),
    (Family.TDX, {}, {"nonce": bytes(32)}, "tee.nonce"),
    (Family.TDX, {}, {"gpus": 1}, "tee.gpu-missing"),
]


@pytest.mark.parametrize(("family", "machine", "members", "check"), CHANGES)
def test_each_demand_rejects_by_its_name(
    family: Family, machine: dict[str, object], members: dict[str, object], check: str
) -> None:
    attester = simulator(family)
    attester = replace(attester, machine=replace(attester.machine, **machine))  # type: ignore[type-var]
    with pytest.raises(QuoteError) as raised:
        judged(of_keys(attester), naming(attester, **members))
    assert raised.value.check == check


@pytest.mark.parametrize("generation", ["genoa", "turin"])
def test_later_generations_of_amd_are_read(generation: str) -> None:
    base = simulator(Family.SEV_SNP)
    attester = replace(base, machine=SimulatedSnp(root=base.root, generation=generation))
    verified = judged(of_keys(attester), naming(attester))
    assert verified.attested is not None
    assert verified.attested.quotes[0].claims.generation == generation


def test_firmware_that_nobody_rates_is_said_to_be_open() -> None:
    attester = simulator(Family.SEV_SNP)
    made = of_keys(attester)
    open_ = judged(made, naming(attester)).assumptions
    least = {"genoa": {"reported.snp": 23, "reported.microcode": 72}}
    bounded = judged(made, naming(attester, min_tcb=least)).assumptions
    assert any("firmware: its maker rates none" in line for line in open_)
    assert not any("firmware: its maker rates none" in line for line in bounded)


def test_a_report_of_tdx_1_5_is_read() -> None:
    base = simulator()
    assert isinstance(base.machine, SimulatedIntel)
    attester = replace(base, machine=replace(base.machine, report_1_5=True))
    verified = judged(of_keys(attester), naming(attester))
    assert verified.attested is not None
    assert verified.attested.quotes[0].claims.generation == "tdx-1.5"


def test_what_is_demanded_can_be_met() -> None:
    attester = simulator(gpus=1)
    made = of_keys(attester)
    seen = judged(made, naming(attester)).attested
    assert seen is not None
    claims = seen.quotes[0].claims
    policy = naming(
        attester,
        measurements=({"mr_td": "00" * 48}, {"mr_td": claims.measurements["mr_td"]}),
        platforms=frozenset({claims.platform}),
        nonce=CHALLENGE.value,
        gpus=1,
        min_evaluation=20,
        families=frozenset({"tdx", "nvidia-gpu"}),
    )
    verified = judged(made, policy)
    assert not any("which code" in line for line in verified.assumptions)
    assert not any("which machine" in line for line in verified.assumptions)


def test_a_strangers_signature_beside_a_good_quote_does_not_count() -> None:
    attester = simulator()
    tee = Tee.of_keys(attester, key_set(), CHALLENGE)
    made = issue(toy_run(), signer=OTHER_SIGNER, issued_at=NOW, evidence=tee)
    policy = AllOf(
        TrustedSigners(OTHER_SIGNER.public_key),
        RequireTee(TeePolicy(simulators=frozenset({attester.fingerprint}))),
    )
    with pytest.raises(QuoteError) as raised:
        judged(made, policy)
    assert raised.value.check == "tee.key"


def test_the_same_policy_from_a_file() -> None:
    attester = simulator(gpus=1)
    pem = SIGNER.public_key.to_pem().decode()
    text = f'''
version = "veridical-policy/v1"
[[rule]]
type = "trusted_signers"
keys = ["""{pem}"""]
[[rule]]
type = "require_tee"
simulators = ["{attester.fingerprint}"]
nonce = "{CHALLENGE.value.hex()}"
gpus = 1
smt = true
min_tcb = {{ genoa = {{ "reported.snp" = 22 }} }}
'''
    assert judged(of_keys(attester), loads(text)).tier == "tee"
    with pytest.raises(QuoteError):
        judged(of_keys(attester), loads(text.replace(CHALLENGE.value.hex(), "00" * 32)))


@pytest.mark.parametrize(
    "line",
    [
        "debug = 1",
        "gpus = true",
        'gpus = "1"',
        "gpus = -1",
        "families = []",
        'families = ["tpm"]',
        'generations = ["Milan"]',
        'statuses = ["uptodate"]',
        'simulators = ["ff"]',
        'nonce = "ff"',
        "measurements = []",
        "measurements = [{}]",
        "measurements = [{mr_td = 1}]",
        "min_tcb = {venice = {snp = 1}}",
        "min_tcb = {genoa = {snp = true}}",
        "unknown = 1",
    ],
)
def test_a_policy_file_that_is_not_understood_is_an_error(line: str) -> None:
    text = f'version = "veridical-policy/v1"\n[[rule]]\ntype = "require_tee"\n{line}\n'
    with pytest.raises(Error) as raised:
        loads(text)
    assert type(raised.value).__name__ == "PolicyFormatError"


def test_one_gpu_is_not_many() -> None:
    attester = simulator(gpus=1)
    tee = Tee.of_keys(attester, key_set(), CHALLENGE)
    assert tee.keys is not None
    processor, gpu = tee.keys.quotes
    twice = receipt(Tee(keys=replace(tee.keys, quotes=(processor, gpu, gpu))))
    with pytest.raises(QuoteError) as raised:
        judged(twice, naming(attester, gpus=2))
    assert raised.value.check == "tee.gpu-repeated"


def test_a_quote_over_keys_has_an_age() -> None:
    attester = simulator()
    with pytest.raises(InputError):
        Tee.of_keys(attester, key_set(), Freshness())
    tee = Tee.of_keys(attester, key_set(), CHALLENGE)
    assert tee.keys is not None
    ageless = replace(tee.keys, freshness=Freshness())
    with pytest.raises(QuoteError) as raised:
        judged(receipt(Tee(keys=ageless)), naming(attester))
    assert raised.value.check == "tee.format"


def test_the_age_of_a_quote_is_open_unless_its_nonce_was_compared() -> None:
    attester = simulator()
    logged = Freshness(FreshnessKind.CHECKPOINT, bytes(32))
    cases = [
        (CHALLENGE, {}, True),
        (logged, {}, True),
        (CHALLENGE, {"nonce": CHALLENGE.value}, False),
    ]
    for freshness, members, is_open in cases:
        made = receipt(Tee.of_keys(attester, key_set(), freshness))
        said = judged(made, naming(attester, **members)).assumptions
        assert any("age of the quote" in line for line in said) is is_open
    with pytest.raises(QuoteError) as raised:
        judged(receipt(Tee.of_keys(attester, key_set(), logged)), naming(attester, nonce=bytes(32)))
    assert raised.value.check == "tee.nonce"


def test_evidence_has_one_form() -> None:
    attester = simulator(gpus=1)
    evidence = Tee.of_keys(attester, key_set(), CHALLENGE).keys
    assert evidence is not None
    content = evidence.to_bytes()
    assert TeeEvidence.from_bytes(content) == evidence
    for broken in (content + b"\0", content[:-1], b"", content[1:]):
        with pytest.raises(QuoteError) as raised:
            TeeEvidence.from_bytes(broken)
        assert raised.value.check == "tee.format"
    for position in range(0, 400, 7):
        changed = bytearray(content)
        changed[position] ^= 1
        with contextlib.suppress(QuoteError):
            assert TeeEvidence.from_bytes(bytes(changed)) != evidence


def test_evidence_over_statements_has_one_form() -> None:
    made = attest_batch(simulator(), [bytes([n]) * 32 for n in range(6)], Freshness())
    for evidence in made:
        assert TeeEvidence.from_bytes(evidence.to_bytes()) == evidence


def test_the_question_of_the_caller_is_compared_as_for_every_tier() -> None:
    attester = simulator()
    verified = verify(
        of_keys(attester), naming(attester), now=NOW, tee=CONTEXT, input=X, program=PROGRAM
    )
    assert verified.properties["input"] is Standing.MATCHED
    assert verified.properties["model"] is Standing.MATCHED


def test_a_panic_of_the_library_is_a_rejection(monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        """As the library raises it."""

    class Verifier:
        def __init__(self, _root: bytes) -> None:
            pass

        def verify_with_policy(self, *_: object) -> None:
            raise PanicException("index out of bounds")

    attester = simulator()
    made = of_keys(attester)
    monkeypatch.setattr("veridical.tee.intel.dcap_qvl.QuoteVerifier", Verifier)
    with pytest.raises(QuoteError) as raised:
        judged(made, naming(attester))
    assert raised.value.check == "tee.format"


def test_without_the_extra_a_quote_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    attester = simulator()
    made = of_keys(attester)
    monkeypatch.delitem(sys.modules, "veridical.tee.intel")
    monkeypatch.setitem(sys.modules, "dcap_qvl", None)
    with pytest.raises(CollateralError) as raised:
        judged(made, naming(attester))
    assert raised.value.advice == "Install the extra: veridical[tee]."
