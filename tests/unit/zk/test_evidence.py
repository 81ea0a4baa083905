"""The evidence of tier `zk`: one encoding, and a name for everything that is none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veridical.commitment import frame
from veridical.errors import ProofError
from veridical.zk.evidence import MAX_MEMBERS, Member, ProofEvidence

ONE = ProofEvidence(
    profile="standard",
    weight_root=bytes(range(32)),
    soundness_bits=101,
    members=(Member(statement=b"\x01" * 32, outputs=b"out"),),
    proof=b"proof",
)
TWO = replace(
    ONE,
    members=(
        Member(statement=b"\x01" * 32, inputs=b"in", outputs=b"out"),
        Member(statement=b"\x02" * 32, inputs=b"in", outputs=b"out"),
    ),
)


@pytest.mark.parametrize("evidence", [ONE, TWO])
def test_round_trip(evidence: ProofEvidence) -> None:
    assert ProofEvidence.from_bytes(evidence.to_bytes()) == evidence


def test_layout_is_that_of_the_specification() -> None:
    assert ONE.to_bytes() == (
        frame(b"veridical.succinct-proof.v1", b"standard", bytes(range(32)))
        + (101).to_bytes(8, "little")
        + (1).to_bytes(8, "little")
        + frame(b"\x01" * 32, b"", b"out")
        + frame(b"proof")
    )


@pytest.mark.parametrize("evidence", [ONE, TWO])
def test_no_prefix_and_no_extension_is_evidence(evidence: ProofEvidence) -> None:
    encoded = evidence.to_bytes()
    for size in range(len(encoded)):
        with pytest.raises(ProofError):
            ProofEvidence.from_bytes(encoded[:size])
    with pytest.raises(ProofError, match="bytes after the proof"):
        ProofEvidence.from_bytes(encoded + b"\0")


@given(position=st.integers(0, len(TWO.to_bytes()) - 1), bit=st.integers(0, 7))
def test_changed_bits_are_refused_or_another_evidence(position: int, bit: int) -> None:
    encoded = bytearray(TWO.to_bytes())
    encoded[position] ^= 1 << bit
    try:
        parsed = ProofEvidence.from_bytes(bytes(encoded))
    except ProofError:
        return
    assert parsed != TWO
    assert parsed.to_bytes() == bytes(encoded)


@given(st.binary(max_size=300))
def test_random_bytes_are_refused_by_name(untrusted: bytes) -> None:
    with pytest.raises(ProofError):
        ProofEvidence.from_bytes(untrusted)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"members": ()}, "covers no run"),
        ({"members": ONE.members * 2}, "one statement stands twice"),
        (
            {"members": (*ONE.members, Member(statement=b"\x02" * 32, inputs=b"i", outputs=b"o"))},
            "carries the inputs of all",
        ),
        ({"weight_root": b"short"}, "a digest has 32 bytes"),
        ({"soundness_bits": 257}, "257 bits of soundness"),
        ({"profile": "a\nb"}, "not printable"),
        ({"profile": "x" * 65}, "65 bytes in one field"),
        ({"members": ONE.members * (MAX_MEMBERS + 1)}, "4097 runs"),
    ],
)
def test_what_no_issuer_makes_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ProofError, match=message):
        ProofEvidence.from_bytes(replace(ONE, **change).to_bytes())  # type: ignore[arg-type]
