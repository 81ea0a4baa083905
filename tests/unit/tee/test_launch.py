"""Expected measurements of SEV-SNP guests: known answers, and a recomputation by hand."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path

import pytest

from veridical.cli.app import run
from veridical.errors import InputError
from veridical.tee.launch import snp_measurement

FOOTER = "96b582de-1fb2-45f7-baea-a366c55a082d"
RESET = "00f771de-1a7e-4fcb-890e-68c77e2fb44e"
HASHES = "7255371f-3a3b-4b04-927b-1da6efa8d454"
METADATA = "dc886566-984a-4798-a75e-5585a7bf67cc"
#: Address, size and type of the sections of OVMF's AmdSev build.
SECTIONS = [
    (0x800000, 0x9000, 1),
    (0x80A000, 0x3000, 1),
    (0x80D000, 0x1000, 2),
    (0x80E000, 0x1000, 3),
    (0x80F000, 0x1000, 4),
    (0x810000, 0x1000, 16),
    (0x811000, 0xF000, 1),
]
#: Of the contents that stand in for OVMF in the published answers.
CONTENTS = "086e2e9149ebf45abdc3445fba5b2da8270bdbb04094d7a2c37faaa4b24af3aa16aff8c374c2a55c467a50da6d466b74"  # noqa: E501 - a digest


def le(number: int, size: int = 4) -> bytes:
    return number.to_bytes(size, "little")


@pytest.fixture
def firmware(tmp_path: Path) -> Path:
    """Make a page with the tables of OVMF, and nothing that could run."""

    def entry(guid: str, content: bytes) -> bytes:
        return content + le(len(content) + 18, 2) + uuid.UUID(guid).bytes_le

    page = bytearray(4096)
    place = 0x400
    described = b"ASEV" + le(16 + 12 * len(SECTIONS)) + le(1) + le(len(SECTIONS))
    described += b"".join(le(a) + le(b) + le(c) for a, b, c in SECTIONS)
    page[place : place + len(described)] = described
    table = entry(METADATA, le(4096 - place)) + entry(HASHES, le(0x810C00) + le(0x400))
    table += entry(RESET, le(0x80B004))
    table += le(len(table) + 18, 2) + uuid.UUID(FOOTER).bytes_le
    page[4096 - 32 - len(table) : 4096 - 32] = table
    path = tmp_path / "firmware.fd"
    path.write_bytes(bytes(page))
    return path


@pytest.mark.parametrize(
    ("features", "command_line", "expected"),
    [
        (0x21, "", "329c8ce0972ae52343b64d34a434a86f245dfd74f5ed7aae"),
        (0x01, "", "ddc5224521617a536ee7ce9dd6224d1b58a8d4fda1c741f3"),
        (0x21, "console=ttyS0 loglevel=7", "803f691094946e42068aaa3a8f9e26a5c89f36f7b73ecfb2"),
        (0x01, "console=ttyS0 loglevel=7", "6d287813eb5222d770f75005c664e34c204f385ce832cc2c"),
    ],
)
def test_published_answers(
    firmware: Path, tmp_path: Path, features: int, command_line: str, expected: str
) -> None:
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    digest = snp_measurement(
        firmware,
        vcpus=1,
        vcpu_type="EPYC-v4",
        kernel=empty,
        initrd=empty,
        command_line=command_line,
        guest_features=features,
        firmware_hash=CONTENTS,
    )
    assert digest.hex().startswith(expected)


def test_the_firmware_is_measured_page_by_page(firmware: Path) -> None:
    """Hash its one page as AMD's firmware interface (56860, 8.17.2) says, and start from there."""
    page = hashlib.sha384(firmware.read_bytes()).digest()
    info = bytes(48) + page + le(0x70, 2) + bytes([1, 0, 0, 0, 0, 0]) + le(2**32 - 4096, 8)
    contents = hashlib.sha384(info).hexdigest()
    one = snp_measurement(firmware, vcpus=1, vcpu_type="EPYC-Genoa")
    again = snp_measurement(firmware, vcpus=1, vcpu_type="EPYC-Genoa", firmware_hash=contents)
    assert again == one
    two = snp_measurement(firmware, vcpus=2, vcpu_type="EPYC-Genoa")
    assert len({one, two, snp_measurement(firmware, vcpus=1, vcpu_type="EPYC-v4")}) == 3


def test_by_command(firmware: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["tee", "measure", str(firmware), "--vcpus", "2", "--vcpu-type", "EPYC-Genoa"]
    assert run(arguments) == 0
    expected = snp_measurement(firmware, vcpus=2, vcpu_type="EPYC-Genoa").hex()
    assert capsys.readouterr().out == f"{expected}\n"


def test_what_cannot_be_measured_is_said(firmware: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(bytes(100))
    with pytest.raises(InputError):
        snp_measurement(other, vcpus=1, vcpu_type="EPYC-Genoa")
    with pytest.raises(InputError):
        snp_measurement(tmp_path / "none", vcpus=1, vcpu_type="EPYC-Genoa")
    with pytest.raises(InputError):
        snp_measurement(firmware, vcpus=0, vcpu_type="EPYC-Genoa")
    with pytest.raises(InputError):
        snp_measurement(firmware, vcpus=1, vcpu_type="Pentium")
    with pytest.raises(InputError):
        snp_measurement(firmware, vcpus=1, vcpu_type="EPYC-Genoa", command_line="quiet")
