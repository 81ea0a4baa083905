"""What is too long, too deep or too many is refused fast, and in little memory."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from tests.fuzz.parsers import PARSERS, survives
from tests.unit.tee.scenes import simulator
from veridical.cli.app import run
from veridical.commitment import frame
from veridical.errors import Error, InputError
from veridical.tee import Collateral, CollateralItem, Family, Kind, TeeEvidence, parse_quote
from veridical.tee.cbor import encode
from veridical.tee.collateral import BUNDLE_MAX_BYTES, ITEM_MAX_BYTES
from veridical.tee.collateral_files import read_collateral_files
from veridical.tee.imports import read_service
from veridical.tee.imports.foreign import DOCUMENT_MAX_BYTES
from veridical.tee.nvidia import join
from veridical.tee.rim import RIM_MAX_BYTES, read_rim
from veridical.tee.simulator.nvidia import SimulatedGpu
from veridical.tee.simulator.pki import Authority
from veridical.tee.x509 import MAX_CERTIFICATES, parse_der, pem_of, verify_chain

SECONDS = 1.0
MEBIBYTE = 2**20


def laughs() -> bytes:
    """Return a document whose entities would unfold to a billion times one of them."""
    names = "abcdefghi"
    inner = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in pairwise(names))
    return f'<!DOCTYPE x [<!ENTITY a "ha">{inner}]><x>&i;</x>'.encode()


def nitro_of_a_thousand_links() -> bytes:
    link = Authority.root().ders[0]
    document = encode({"cabundle": [link] * 1000, "certificate": link})
    return encode([bytes.fromhex("a1013822"), {}, document, bytes(96)])


def gpu_of_a_thousand_links() -> bytes:
    blob, _ = SimulatedGpu(root=simulator().root).quote(bytes(32))
    size = int.from_bytes(blob.content[:8], "little")
    return join(blob.content[8 : 8 + size], pem_of(Authority.root().ders[0]).encode() * 1000)


def intel_of_a_thousand_links() -> bytes:
    made = simulator().attest(bytes(32)).quotes[0].content
    start = made.index(b"-----BEGIN")
    return made[:start] + pem_of(Authority.root().ders[0]).encode() * 1000


def evidence_of_a_terabyte() -> bytes:
    """Return evidence whose first field says that it is that long."""
    return (2**40).to_bytes(8, "little") + frame(b"veridical.tee-evidence.v1")


HOSTILE: dict[str, tuple[Callable[[], bytes], Callable[[bytes], object]]] = {
    "entities": (laughs, lambda c: read_rim(c, what="x")),
    "entities in UTF-16": (
        lambda: laughs().decode().encode("utf-16"),
        lambda c: read_rim(c, what="x"),
    ),
    "external entity": (
        lambda: b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
        lambda c: read_rim(c, what="x"),
    ),
    "depth of XML": (lambda: b"<a>" * 80_000, lambda c: read_rim(c, what="x")),
    "size of XML": (lambda: bytes(RIM_MAX_BYTES + 1), lambda c: read_rim(c, what="x")),
    "chain of Nitro": (nitro_of_a_thousand_links, lambda c: parse_quote(Family.NITRO, c)),
    "chain of a GPU": (gpu_of_a_thousand_links, lambda c: parse_quote(Family.NVIDIA_GPU, c)),
    "chain of TDX": (intel_of_a_thousand_links, lambda c: parse_quote(Family.TDX, c)),
    "size of a bundle": (lambda: b"[" * (BUNDLE_MAX_BYTES + 1), Collateral.from_bytes),
    "depth of a bundle": (lambda: b"[" * BUNDLE_MAX_BYTES, Collateral.from_bytes),
    "length of evidence": (evidence_of_a_terabyte, TeeEvidence.from_bytes),
    "size of evidence": (lambda: bytes(5 * MEBIBYTE), TeeEvidence.from_bytes),
    "size of a report": (
        lambda: b" " * (DOCUMENT_MAX_BYTES + 1),
        lambda c: read_service(c, b"{}"),
    ),
    "depth of a report": (
        lambda: b'{"a":' + b"[" * (DOCUMENT_MAX_BYTES - 5),
        lambda c: read_service(c, b"{}"),
    ),
    "keys of a report": (
        lambda: b"{" + b'"a":1,' * (DOCUMENT_MAX_BYTES // 8) + b'"a":1}',
        lambda c: read_service(c, b"{}"),
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_inputs_are_refused_fast_and_in_little_memory(name: str) -> None:
    make, parse = HOSTILE[name]
    content = make()
    started = time.process_time()
    with pytest.raises(Error):
        parse(content)
    assert time.process_time() - started < SECONDS
    tracemalloc.start()
    with pytest.raises(Error):
        parse(content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * MEBIBYTE


def test_a_chain_of_a_thousand_certificates_is_refused_before_a_signature_is_checked() -> None:
    certificate = parse_der(Authority.root().ders[0], what="x")
    started = time.process_time()
    with pytest.raises(Error):
        verify_chain([certificate] * 1000, roots=[], what="x")
    with pytest.raises(Error):
        verify_chain([certificate] * (MAX_CERTIFICATES + 1), roots=[], what="x")
    assert time.process_time() - started < SECONDS


def test_oversize_collateral_is_refused(tmp_path: Path) -> None:
    large = tmp_path / "large.json"
    large.write_bytes(b"{" + b" " * BUNDLE_MAX_BYTES)
    with pytest.raises(InputError, match="more than"):
        read_collateral_files([large])
    with pytest.raises(InputError):
        Collateral((CollateralItem(Kind.INTEL, "x", bytes(ITEM_MAX_BYTES + 1)),))
    assert run(["tee", "collateral", "add", str(large)]) == 2


@pytest.mark.parametrize("name", PARSERS)
def test_parsers_refuse_by_name(name: str) -> None:
    """Cut and change well-formed inputs; the campaign does the same with coverage."""
    parser = PARSERS[name]
    seeds = parser.seeds()
    assert any(survives(parser, seed) for seed in seeds) is parser.takes_seeds
    for seed in seeds:
        step = max(1, len(seed) // 40)
        for place in range(0, len(seed), step):
            survives(parser, seed[:place])
            survives(parser, seed[:place] + bytes((seed[place] ^ 0x80,)) + seed[place + 1 :])
            survives(parser, seed[:place] + b"\xff" * 8 + seed[place:])
