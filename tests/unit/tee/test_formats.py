"""Forms that quotes have, and that they have no other."""

from __future__ import annotations

import time
from pathlib import Path

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.tee.scenes import simulator
from tests.unit.tee.vectors import binary_of, read, rims, vectors
from veridical.errors import InputError, QuoteError
from veridical.tee import Family, parse_quote
from veridical.tee.cbor import Item, decode, encode
from veridical.tee.files import normal_pem, read_quote, read_quote_file
from veridical.tee.intel import IntelQuote
from veridical.tee.nitro import NitroDocument
from veridical.tee.rim import RIM_MAX_BYTES, read_rim
from veridical.tee.snp import SnpReport
from veridical.tee.spdm import MeasurementReport
from veridical.tee.x509 import parse_pem_chain, verify_chain

scalars = st.one_of(
    st.integers(-(2**63), 2**64 - 1), st.binary(max_size=300), st.text(max_size=40), st.none()
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.integers(0, 300), st.text(max_size=8)), inner, max_size=4),
    ),
    max_leaves=12,
)


def depth(value: object) -> int:
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 0


@settings(max_examples=40, deadline=None)
@given(values)
def test_cbor_is_that_of_another_implementation(value: Item) -> None:
    content = encode(value)
    assert content == cbor2.dumps(value)
    assert cbor2.loads(content) == value
    if depth(value) <= 4:
        assert decode(content, what="x") == value


@given(st.binary(max_size=64))
def test_what_decodes_encodes_to_the_same_bytes(content: bytes) -> None:
    try:
        value = decode(content, what="x")
    except QuoteError:
        return
    assert encode(value) == content
    assert cbor2.loads(content) == value


@pytest.mark.parametrize(
    "content",
    [
        "1800",  # 0 in two bytes
        "190017",  # 23 in three
        "1900ff",  # 255 in three
        "1a0000ffff",
        "1b00000000ffffffff",
        "a2010101 02".replace(" ", ""),  # a key twice
        "5f41004100ff",  # indefinite bytes
        "9fff",
        "bfff",  # indefinite, where it is not allowed
        "f5",
        "f7",
        "fa00000000",
        "c100",  # a tag
        "a1410001",  # a key of bytes
        "0000",
        "8181818181818100",
        "9b7fffffffffffffff",
        "7f",
        "61ff",
        "",
    ],
)
def test_cbor_has_no_second_form(content: str) -> None:
    with pytest.raises(QuoteError) as raised:
        decode(bytes.fromhex(content), what="x")
    assert raised.value.check == "tee.format"


def test_an_open_map_is_read_where_it_may_stand() -> None:
    assert decode(bytes.fromhex("bf6161016162 02ff".replace(" ", "")), what="x", may_be_open=True)
    for broken in ("bf616101", "bf61610161610 1ff".replace(" ", ""), "bfff00"):
        with pytest.raises(QuoteError):
            decode(bytes.fromhex(broken), what="x", may_be_open=True)


@pytest.mark.parametrize("name", ["sgx", "tdx", "tdx-outdated"])
def test_padding_of_an_intel_quote_is_taken_off(name: str) -> None:
    content = vectors()[name].content
    quote = IntelQuote.from_bytes(content)
    bare = quote.content
    assert IntelQuote.from_bytes(bare) == quote == IntelQuote.from_bytes(bare + bytes(500))
    for broken in (bare[:-1], bare + b"\0\1", bare[:100], b""):
        with pytest.raises(QuoteError):
            IntelQuote.from_bytes(broken)


def test_lengths_of_reports_are_exact() -> None:
    report = binary_of("snp")
    for broken in (report[:-1], report + b"\0", report[:-1] + b"\1", b""):
        with pytest.raises(QuoteError):
            SnpReport.from_bytes(broken)
    gpu = binary_of("hopper")
    for broken in (gpu[:-1], gpu + b"\0", b"", gpu[:200]):
        with pytest.raises(QuoteError):
            MeasurementReport.from_bytes(broken)
    (blob,) = simulator(Family.NITRO).attest(bytes(32)).quotes
    for broken in (blob.content[:-1], blob.content + b"\0", b"", b"\x84" * 9):
        with pytest.raises(QuoteError):
            NitroDocument.from_bytes(broken)


def test_a_quote_is_not_one_of_another_family() -> None:
    with pytest.raises(QuoteError):
        parse_quote(Family.SGX, vectors()["tdx"].content)
    with pytest.raises(QuoteError):
        parse_quote(Family.TDX, vectors()["sgx"].content)
    gpu = simulator(gpus=1).attest(bytes(32)).quotes[1].content
    with pytest.raises(QuoteError):
        parse_quote(Family.NVIDIA_SWITCH, gpu)
    with pytest.raises(QuoteError):
        parse_quote(Family.TDX, bytes(70_000))


def test_files_are_recognised(tmp_path: Path) -> None:
    for name, vector in vectors().items():
        path, chain = tmp_path / name, tmp_path / f"{name}.pem"
        path.write_bytes(vector.content)
        if vector.certificates is not None:
            chain.write_bytes(vector.certificates)
        found = read_quote_file(path, certificates=chain if vector.certificates else None)
        assert found.family is vector.family
    hexed = vectors()["tdx"].content.hex()
    for text in (f'{{"quote":"{hexed}"}}', f'[{{"intel_quote":"0x{hexed}"}}]', f"0x{hexed}\n"):
        assert read_quote(text.encode()).family is Family.TDX
    for text in ("{}", "[]", "[1,2]", "{", '{"quote":1}', "hello", "", "[" * 9000):
        with pytest.raises((InputError, QuoteError)):
            read_quote(text.encode())
    with pytest.raises(InputError):
        read_quote(vectors()["hopper"].content)


def test_a_chain_has_one_form() -> None:
    vectors()
    chain = normal_pem(read("nvidia/hopper_cert_chain.txt"))
    assert len(parse_pem_chain(chain, what="x", count=5)) == 5
    text = chain.decode()
    for broken in (text.replace("\n", "\r\n"), "\n" + text, text + " ", text[:-1], "", "a"):
        with pytest.raises(QuoteError):
            parse_pem_chain(broken.encode(), what="x", count=5)


def test_a_chain_of_a_thousand_links_is_refused_fast() -> None:
    vectors()
    one = normal_pem(read("sev_snp/roots/milan_ark.pem"))
    started = time.perf_counter()
    with pytest.raises(QuoteError):
        parse_pem_chain(one * 1000, what="x")
    with pytest.raises(QuoteError):
        verify_chain([], roots=[], what="x")
    assert time.perf_counter() - started < 1


BOMB = b'<!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize(
    "content",
    [
        BOMB,
        b"<a>" * 10_000,
        b"<a" + b" b='1'" * 30_000 + b"/>",
        b"<a/>" + bytes(RIM_MAX_BYTES),
        b"<!-- x --><a/>",
        b"<?xml-stylesheet href='http://localhost/'?><a/>",
        b"\xff\xfe<\x00a\x00/\x00>\x00",
        b"<a/>",
        b"",
    ],
)
def test_hostile_xml_is_refused_fast(content: bytes) -> None:
    started = time.perf_counter()
    with pytest.raises(QuoteError) as raised:
        read_rim(content, what="x")
    assert raised.value.check in {"tee.rim", "tee.chain"}
    assert time.perf_counter() - started < 1


def test_utf_16_hides_no_document_type() -> None:
    hidden = BOMB.decode().encode("utf-16")
    with pytest.raises(QuoteError) as raised:
        read_rim(hidden, what="x")
    assert raised.value.check == "tee.rim"


@pytest.mark.parametrize("offset", [900, 3000, 9000])
def test_a_changed_reference_is_not_signed(offset: int) -> None:
    vectors()
    for item in rims():
        changed = bytearray(item.content)
        while not chr(changed[offset]).isdigit():
            offset += 1
        changed[offset] = ord("1") if changed[offset] != ord("1") else ord("2")
        with pytest.raises(QuoteError) as raised:
            read_rim(bytes(changed), what=item.subject)
        assert raised.value.check in {"tee.rim", "tee.chain"}


def test_a_reference_wrapped_in_another_document_is_not_read() -> None:
    vectors()
    (first, _) = rims()
    wrapped = b"<x>" + first.content + b"</x>"
    with pytest.raises(QuoteError):
        read_rim(wrapped, what="x")
