"""Quotes of SEV-SNP and Nitro are judged as independent implementations judge them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance import RecordCriterion
from tests.differential.quotes import (
    Agreement,
    compared,
    nitro_document,
    nitro_reader,
    snp_reader,
)
from tests.unit.tee.vectors import binary_of

SAMPLE, FULL = 150, 2000


def require_agreement(found: Agreement, count: int) -> None:
    assert found.tried == count
    assert not found.ours_alone
    assert found.both_refuse > count // 3
    # What the other takes and we do not has another form than the one that we take.
    assert set(found.theirs_alone) <= {"tee.format"}


def test_genuine_reports_are_judged_alike() -> None:
    assert snp_reader("snp")(binary_of("snp"))
    assert not snp_reader("snp-debug")(binary_of("snp-debug"))
    assert not snp_reader("snp-debug")(binary_of("snp"))


def test_a_genuine_document_is_judged_alike(tmp_path: Path) -> None:
    assert nitro_reader(tmp_path)(nitro_document())


def test_mutants_of_a_report_are_judged_alike() -> None:
    found = compared("snp", snp_reader("snp"), SAMPLE)
    require_agreement(found, SAMPLE)
    assert found.theirs_alone  # its unsigned tail


def test_mutants_of_a_document_are_judged_alike(tmp_path: Path) -> None:
    found = compared("nitro", nitro_reader(tmp_path), SAMPLE, nitro_document())
    require_agreement(found, SAMPLE)


@pytest.mark.accept
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["snp", "nitro"])
def test_many_mutants_are_judged_alike(
    name: str, tmp_path: Path, criterion: RecordCriterion
) -> None:
    if name == "snp":
        found = compared(name, snp_reader(name), FULL)
    else:
        found = compared(name, nitro_reader(tmp_path), FULL, nitro_document())
    criterion(
        f"mutants of {name}, judged by another implementation as well",
        required="none accepted here alone; there alone only what has another form",
        measured=(
            f"{found.tried} tried: {found.both_refuse} refused by both, {found.both_accept} "
            f"accepted by both, {len(found.ours_alone)} accepted here alone, "
            f"{sum(found.theirs_alone.values())} there alone ({dict(found.theirs_alone)})"
        ),
    )
    require_agreement(found, FULL)
