"""Evidence of real hardware gets exactly the verdict that is written beside it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.tee.vectors import TODAY, read, vectors
from veridical.errors import QuoteError
from veridical.tee import Appraisal, Collateral, Family, Outcome, TeePolicy, appraise
from veridical.tee.collateral import Kind
from veridical.tee.x509 import parse_der, parse_pem_chain, verify_chain

DEFAULT = TeePolicy()
MILAN = TeePolicy(generations=DEFAULT.generations | {"milan"})
HARDENED = TeePolicy(
    statuses=DEFAULT.statuses | {"ConfigurationAndSWHardeningNeeded"},
    advisories=frozenset({"INTEL-SA-00289", "INTEL-SA-00615"}),
)
GOOD, NONE = "good", "none"


def appraised(name: str, policy: TeePolicy = DEFAULT, time: int | str = GOOD) -> Appraisal:
    vector = vectors()[name]
    seconds = vector.time if time == GOOD else None if time == NONE else int(time or 0)
    return appraise(vector.quote, policy=policy, collateral=vector.collateral, time=seconds)


def checks(appraisal: Appraisal, outcome: Outcome) -> set[str]:
    return {one.check for one in appraisal.findings if one.outcome is outcome}


ROWS = [
    ("sgx", DEFAULT, GOOD, "rejected", {"tee.status", "tee.advisory"}),
    ("sgx", HARDENED, GOOD, "accepted", set()),
    ("tdx", DEFAULT, GOOD, "accepted", set()),
    ("tdx", DEFAULT, TODAY, "undecided", {"tee.collateral-stale"}),
    ("tdx-outdated", DEFAULT, GOOD, "rejected", {"tee.tcb"}),
    ("snp", DEFAULT, GOOD, "rejected", {"tee.generation"}),
    ("snp", MILAN, GOOD, "accepted", set()),
    ("snp-debug", MILAN, GOOD, "rejected", {"tee.debug"}),
    ("nitro", DEFAULT, GOOD, "accepted", set()),
    ("nitro", DEFAULT, TODAY, "rejected", {"tee.expired"}),
    ("nitro", DEFAULT, NONE, "undecided", {"tee.time"}),
    ("nitro-debug", DEFAULT, GOOD, "rejected", {"tee.debug"}),
    ("hopper", DEFAULT, GOOD, "accepted", set()),
    ("hopper", DEFAULT, TODAY, "undecided", {"tee.collateral-stale"}),
    # Beyond the list: without a time nothing but a rejection is certain.
    ("tdx", DEFAULT, NONE, "undecided", {"tee.time"}),
    ("sgx", HARDENED, NONE, "undecided", {"tee.time"}),
    ("snp", MILAN, NONE, "undecided", {"tee.time"}),
    ("hopper", DEFAULT, NONE, "undecided", {"tee.time"}),
]


@pytest.mark.parametrize(("name", "policy", "time", "verdict", "reasons"), ROWS)
def test_the_verdict_is_the_one_that_is_written_beside_it(
    name: str, policy: TeePolicy, time: int | str, verdict: str, reasons: set[str]
) -> None:
    appraisal = appraised(name, policy, time)
    assert appraisal.outcome.name.lower() == verdict
    deciding = set() if verdict == "accepted" else checks(appraisal, appraisal.outcome)
    assert deciding == reasons


def test_what_intel_says_of_the_firmware_is_listed() -> None:
    appraisal = appraised("sgx")
    assert appraisal.tcb is not None
    assert appraisal.tcb.status == "ConfigurationAndSWHardeningNeeded"
    assert appraisal.tcb.advisories == ("INTEL-SA-00289", "INTEL-SA-00615")
    assert "tee.signature" in checks(appraisal, Outcome.ACCEPTED)


def test_the_rejected_milan_report_is_genuine() -> None:
    appraisal = appraised("snp")
    assert appraisal.claims is not None
    assert appraisal.claims.security["debug"] == 0
    assert checks(appraisal, Outcome.REJECTED) == {"tee.generation"}


def test_the_root_of_nitro_is_the_known_one() -> None:
    claims = appraised("nitro").claims
    assert claims is not None
    assert claims.root.startswith("641a0321a3e2")
    assert claims.root.endswith("bb5b")


def test_measurements_of_the_gpu_are_compared() -> None:
    details = {one.check: one.detail for one in appraised("hopper").findings}
    assert details["tee.rim"] == "32 measurements are those of the references"


@pytest.mark.parametrize("name", ["sgx", "tdx", "snp", "hopper"])
def test_without_collateral_nothing_is_decided(name: str) -> None:
    vector = vectors()[name]
    appraisal = appraise(vector.quote, policy=MILAN, collateral=Collateral(), time=vector.time)
    assert appraisal.outcome is Outcome.UNDECIDED
    assert checks(appraisal, Outcome.UNDECIDED) == {"tee.collateral-missing"}


@pytest.mark.parametrize("name", ["sgx", "tdx", "snp", "nitro", "hopper"])
def test_every_verdict_says_what_it_does_not_cover(name: str) -> None:
    said = " ".join(appraised(name).not_covered)
    assert "physical attacks" in said
    assert "side channels" in said


def test_collateral_of_another_platform_is_refused() -> None:
    vector = vectors()["tdx"]
    (item,) = vectors()["tdx-outdated"].collateral
    (own,) = vector.collateral
    swapped = Collateral((replace(item, subject=own.subject),))
    time = vectors()["tdx-outdated"].time
    appraisal = appraise(vector.quote, policy=DEFAULT, collateral=swapped, time=time)
    assert appraisal.outcome is Outcome.REJECTED
    assert appraisal.deciding.check == "tee.collateral-platform"


def test_the_certificate_of_another_chip_is_refused() -> None:
    ours, theirs = vectors()["snp"], vectors()["snp-debug"]
    of = {item.kind: item for item in ours.collateral}
    foreign = next(item for item in theirs.collateral if item.kind is Kind.AMD_VCEK)
    swapped = replace(of[Kind.AMD_VCEK], content=foreign.content)
    collateral = Collateral.of((of[Kind.AMD_CHAIN], swapped))
    appraisal = appraise(ours.quote, policy=MILAN, collateral=collateral, time=ours.time)
    assert appraisal.deciding.check == "tee.collateral-platform"


@pytest.mark.parametrize("generation", ["milan", "genoa", "turin"])
def test_chains_of_every_generation_lead_to_the_pinned_root(generation: str) -> None:
    from veridical.tee.snp import ROOTS

    vectors()
    ask, ark = (read(f"sev_snp/roots/{generation}_{name}.pem") for name in ("ask", "ark"))
    chain = [parse_der(der, what="chain") for der in parse_pem_chain(ask + ark, what="chain")]
    assert verify_chain(chain, roots=[ROOTS[generation]], what="chain") == (
        ROOTS[generation],
        False,
    )
    with pytest.raises(QuoteError, match="not one that is pinned"):
        verify_chain(chain, roots=[ROOTS["genoa" if generation == "milan" else "milan"]], what="c")


def test_the_id_of_a_quote_is_that_of_its_claims() -> None:
    claims = appraised("tdx").claims
    today = appraised("tdx", DEFAULT, TODAY).claims
    assert claims is not None
    assert today is not None
    assert claims.digest == today.digest
    assert {vectors()[n].quote.family for n in vectors()} == {
        Family.SGX,
        Family.TDX,
        Family.SEV_SNP,
        Family.NITRO,
        Family.NVIDIA_GPU,
    }
