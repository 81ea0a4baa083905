"""Collateral: bundles have one form, the store takes what makers signed and never goes back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.tee.scenes import simulator
from tests.unit.tee.vectors import FOLDER, Vector, vectors
from veridical.errors import InputError, QuoteError
from veridical.tee import Collateral, CollateralItem, Kind
from veridical.tee.collateral_files import read_collateral_files
from veridical.tee.rollback import age_of, newest
from veridical.tee.simulator.intel import SimulatedIntel
from veridical.tee.store import Store


def tdx() -> Vector:
    return vectors()["tdx"]


def genuine() -> list[Path]:
    vectors()
    return [
        FOLDER / "tdx" / "quote_v4_collateral.json",
        FOLDER / "sev_snp" / "roots" / "milan_ask.pem",
        FOLDER / "sev_snp" / "roots" / "milan_ark.pem",
        FOLDER / "sev_snp" / "vcek_milan.der",
    ]


def test_what_makers_signed_is_kept_once(tmp_path: Path) -> None:
    store = Store(tmp_path / "collateral")
    offered = read_collateral_files(genuine())
    assert [is_new for _, is_new in store.add(offered)] == [True, True, True]
    assert store.load() == offered
    assert [is_new for _, is_new in store.add(offered)] == [False, False, False]
    assert len(list(store.folder.iterdir())) == 3


def test_files_name_their_own_subjects() -> None:
    found = {(item.kind, item.subject[:15]) for item in read_collateral_files(genuine())}
    assert found == {
        (Kind.INTEL, "tdx:b0c06f00000"),
        (Kind.AMD_CHAIN, "milan"),
        (Kind.AMD_VCEK, "d49554ec717f4e5"),
    }


def test_a_simulators_collateral_is_not_kept(tmp_path: Path) -> None:
    made = simulator(gpus=1).attest(bytes(32)).collateral
    for item in made:
        with pytest.raises(QuoteError):
            Store(tmp_path).add([item])
    assert not list(tmp_path.iterdir())


def changed(content: bytes, name: str, change: object) -> bytes:
    document = json.loads(content)
    inner = json.loads(document["tcb_info"])
    inner[name] = change
    document["tcb_info"] = json.dumps(inner)
    return json.dumps(document).encode()


def test_a_number_that_nobody_signed_is_refused(tmp_path: Path) -> None:
    (item,) = tdx().collateral
    forged = replace(item, content=changed(item.content, "tcbEvaluationDataNumber", 10**6))
    with pytest.raises(QuoteError) as raised:
        Store(tmp_path).add([forged])
    assert raised.value.check == "tee.signature"


def test_collateral_under_a_false_subject_is_refused(tmp_path: Path) -> None:
    (item,) = tdx().collateral
    with pytest.raises(QuoteError) as raised:
        Store(tmp_path).add([replace(item, subject="tdx:90c06f000000")])
    assert raised.value.check == "tee.collateral-platform"


def test_a_vcek_needs_its_chain(tmp_path: Path) -> None:
    vcek = read_collateral_files(genuine()[3:])
    with pytest.raises(QuoteError) as raised:
        Store(tmp_path).add(vcek)
    assert raised.value.check == "tee.chain"
    Store(tmp_path).add(read_collateral_files(genuine()[1:3]))
    assert Store(tmp_path).add(vcek)


def test_the_store_does_not_go_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # No maker signs two evaluations for these tests, so the simulator's pass as a maker's.
    monkeypatch.setattr("veridical.tee.store.require_authentic", lambda *_: None)
    base = simulator()
    assert isinstance(base.machine, SimulatedIntel)
    machine = base.machine

    def item(evaluation: int, days: int = 0) -> CollateralItem:
        issued = machine.issued + timedelta(days=days)
        made = replace(machine, evaluation=evaluation, issued=issued)
        return made.quote(bytes(64))[1][0]

    store = Store(tmp_path)
    store.add([item(20, days=1)])
    for older in (item(19, days=2), item(20)):
        with pytest.raises(QuoteError) as raised:
            store.add([older])
        assert raised.value.check == "tee.rollback"
    newest = item(21)
    store.add([newest])
    assert list(store.load()) == [newest]


def test_replaced_collateral_is_refused_only_from_when_it_was_replaced() -> None:
    base = simulator()
    assert isinstance(base.machine, SimulatedIntel)
    old = Collateral(base.machine.quote(bytes(64))[1])
    later = base.machine.issued + timedelta(days=5)
    new = Collateral(replace(base.machine, evaluation=21, issued=later).quote(bytes(64))[1])
    moment = int(later.timestamp())
    assert newest(old, new, time=moment - 1) == old
    assert newest(new, old, time=None) == new
    assert newest(Collateral(), new, time=None) == new
    for time in (moment, None):
        with pytest.raises(QuoteError) as raised:
            newest(old, new, time=time)
        assert raised.value.check == "tee.rollback"


def test_of_two_of_one_evaluation_the_later_counts() -> None:
    base = simulator()
    assert isinstance(base.machine, SimulatedIntel)
    old = Collateral(base.machine.quote(bytes(64))[1])
    later = base.machine.issued + timedelta(days=5)
    new = Collateral(replace(base.machine, issued=later).quote(bytes(64))[1])
    moment = int(later.timestamp())
    # Its list of revocations may name what the older one does not.
    assert newest(old, new, time=moment) == new
    assert newest(new, old, time=moment) == new
    assert newest(old, new, time=moment - 1) == old


def test_a_bundle_has_one_form() -> None:
    items = read_collateral_files(genuine())
    content = items.to_bytes()
    assert Collateral.from_bytes(content) == items
    for broken in (content + b"\n", content[:-1], content.replace(b'"items"', b'"Items"'), b""):
        with pytest.raises(QuoteError) as raised:
            Collateral.from_bytes(broken)
        assert raised.value.check == "tee.format"


def test_a_bundle_takes_no_item_twice() -> None:
    (item,) = tdx().collateral
    with pytest.raises(InputError):
        Collateral((item, item))
    with pytest.raises(InputError):
        Collateral((replace(item, content=b""),))
    many = Collateral.of(replace(item, subject=f"tdx:{n:012x}") for n in range(65))
    with pytest.raises(InputError):
        many.to_bytes()


@pytest.mark.parametrize("kind", [Kind.INTEL, Kind.AMD_CRL, Kind.NVIDIA_OCSP])
@pytest.mark.parametrize("content", [b"{}", b"[", b"\x30\x03\x02\x01\x00", b"[" * 5000])
def test_unreadable_collateral_has_no_age(kind: Kind, content: bytes) -> None:
    with pytest.raises(QuoteError):
        age_of(CollateralItem(kind, "x", content))


def test_what_is_no_collateral_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for content in (b"", b"hello", b"{", b"{}", b"<a/>", b"<!DOCTYPE a><a/>"):
        path.write_bytes(content)
        with pytest.raises((InputError, QuoteError)):
            read_collateral_files([path])
