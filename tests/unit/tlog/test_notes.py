"""Notes, keys, checkpoints, cosignatures: the examples of the formats, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.tlog.logs import LOG_KEY, LOG_SIGNER, NOW, ORIGIN, private_key, signed_head
from veridical.errors import (
    CheckpointError,
    InputError,
    KeyFormatError,
    MalformedError,
    NonCanonicalError,
    OversizeError,
    SmallOrderKeyError,
    UnsupportedKeyError,
)
from veridical.keys import generate
from veridical.receipt.canonical import encode_base64
from veridical.tlog import Note, NoteKey, SignedCheckpoint
from veridical.tlog.checkpoint import cosign, require_distinct
from veridical.tlog.note import NoteSignature

# The example of https://c2sp.org/signed-note.
EXAMPLE_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_NOTE = (
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuw"
    "HjG1Yu72IneyaQM=\n"
).encode()
# The example of https://c2sp.org/tlog-checkpoint.
EXAMPLE_CHECKPOINT = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q"
    "1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
).encode()
COSIGNERS = [private_key(10 + i) for i in range(3)]
COSIGNER_KEYS = [
    NoteKey.of(f"witness.example/w{i}", signer.public_key, role="cosigner")
    for i, signer in enumerate(COSIGNERS)
]
HEAD = signed_head([b"a", b"b", b"c"])


def cosigned(*numbers: int, timestamp: int = NOW) -> SignedCheckpoint:
    return HEAD.with_lines(
        cosign(HEAD.note.text, COSIGNER_KEYS[i], COSIGNERS[i], timestamp=timestamp) for i in numbers
    )


def test_the_example_of_signed_note_verifies() -> None:
    key = NoteKey.from_vkey(EXAMPLE_VKEY)
    assert key.vkey == str(key) == EXAMPLE_VKEY
    note = Note.from_bytes(EXAMPLE_NOTE)
    assert note.to_bytes() == EXAMPLE_NOTE
    [(_, line)] = note.by([key])
    key.key.verify(line.signature, note.text.encode())


def test_the_example_of_a_checkpoint_is_read() -> None:
    signed = SignedCheckpoint.from_bytes(EXAMPLE_CHECKPOINT)
    assert signed.size == 20852163
    assert signed.checkpoint.to_text() == signed.note.text
    assert signed.to_bytes() == EXAMPLE_CHECKPOINT


def test_a_checkpoint_is_signed_and_verified() -> None:
    again = SignedCheckpoint.from_bytes(HEAD.to_bytes())
    assert again == HEAD
    assert again.verify_log([LOG_KEY]) == LOG_KEY


def test_extension_lines_are_kept_and_signed() -> None:
    head = replace(HEAD.checkpoint, extensions=("one", "two"))
    signed = SignedCheckpoint.sign(head, LOG_KEY, LOG_SIGNER)
    assert SignedCheckpoint.from_bytes(signed.to_bytes()).checkpoint == head


def test_a_checkpoint_of_another_origin_is_refused() -> None:
    other = signed_head([b"a"], origin="log.example/other")
    with pytest.raises(CheckpointError) as caught:
        other.verify_log([LOG_KEY])
    assert caught.value.check == "log.origin"


def test_a_signature_under_another_key_id_does_not_count() -> None:
    [line] = HEAD.note.signatures
    forged = replace(HEAD, note=replace(HEAD.note, signatures=(replace(line, key_id=b"1234"),)))
    with pytest.raises(CheckpointError, match="no signature") as caught:
        forged.verify_log([LOG_KEY])
    assert caught.value.check == "log.signature"


def test_a_key_of_the_same_name_does_not_count() -> None:
    thief = private_key(99)
    key = NoteKey.of(ORIGIN, thief.public_key, role="log")
    forged = SignedCheckpoint.sign(HEAD.checkpoint, key, thief)
    with pytest.raises(CheckpointError, match="no signature"):
        forged.verify_log([LOG_KEY])


@given(st.integers(0, len(HEAD.to_bytes()) - 1), st.integers(1, 255))
def test_every_changed_byte_of_a_checkpoint_is_refused(position: int, change: int) -> None:
    content = bytearray(HEAD.to_bytes())
    content[position] ^= change
    with pytest.raises((MalformedError, CheckpointError)) as caught:
        SignedCheckpoint.from_bytes(bytes(content)).verify_log([LOG_KEY])
    assert caught.value.check in {"log.format", "log.origin", "log.signature"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text\n",
        b"text\n\n",
        b"\n\n\xe2\x80\x94 a AAAAAAA=\n",
        b"text\n\n\xe2\x80\x94 a AAAAAAA=",
        b"text\n\n\xe2\x80\x94 a b AAAAAAA=\n",
        b"text\n\n\xe2\x80\x94 a+b AAAAAAA=\n",
        b"text\n\n\xe2\x80\x94  AAAAAAA=\n",
        b"text\n\n- a AAAAAAA=\n",
        b"text\n\n\xe2\x80\x94 a AAAAAA==\n",
        b"text\n\n\xe2\x80\x94 a\xc2\xa0b AAAAAAA=\n",
        b"te\x00xt\n\n\xe2\x80\x94 a AAAAAAA=\n",
        b"te\rxt\n\n\xe2\x80\x94 a AAAAAAA=\n",
        b"te\xffxt\n\n\xe2\x80\x94 a AAAAAAA=\n",
    ],
)
def test_what_is_no_note_is_refused(content: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        Note.from_bytes(content)
    assert caught.value.check == "log.format"


def test_a_second_encoding_of_a_signature_is_refused() -> None:
    text = b"text\n\n\xe2\x80\x94 a AAAAAAB=\n"
    with pytest.raises(NonCanonicalError):
        Note.from_bytes(text)


def test_an_oversized_note_is_refused() -> None:
    with pytest.raises(OversizeError) as caught:
        Note.from_bytes(b"x" * 65537)
    assert caught.value.check == "log.format"
    line = NoteSignature("a", b"1234", b"x")
    with pytest.raises(OversizeError, match="64 signatures"):
        Note.from_bytes(Note("text\n", (line,) * 65).to_bytes())


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n3\n",
        f"{ORIGIN}\n03\n{encode_base64(bytes(32))}\n",
        f"{ORIGIN}\n+3\n{encode_base64(bytes(32))}\n",
        f"{ORIGIN}\n9223372036854775808\n{encode_base64(bytes(32))}\n",
        f"{ORIGIN}\n3\n{encode_base64(bytes(31))}\n",
        f"{ORIGIN}\n3\nnot base64\n",
        f"{ORIGIN}\n3\n{encode_base64(bytes(32))}\n\nmore\n",
        f"{ORIGIN}\n3\n{encode_base64(bytes(32))}\n" + "x\n" * 17,
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    note = Note(text, HEAD.note.signatures)
    with pytest.raises(MalformedError) as caught:
        SignedCheckpoint.from_bytes(note.to_bytes())
    assert caught.value.check == "log.format"


def test_cosignatures_are_counted_by_cosigner() -> None:
    signed = SignedCheckpoint.from_bytes(cosigned(0, 2).to_bytes())
    found = signed.verify_cosigners(COSIGNER_KEYS, at_least=2)
    assert {one.key for one in found} == {COSIGNER_KEYS[0], COSIGNER_KEYS[2]}
    assert {one.timestamp for one in found} == {NOW}
    later = cosigned(0, timestamp=NOW + 1).note.signatures
    assert cosigned(0).with_lines(later) == cosigned(0)  # a key that signed is not repeated
    # Another writer may repeat it, in any order: the earliest time counts.
    note = cosigned(0).note
    twice = replace(HEAD, note=replace(note, signatures=(*later, *note.signatures)))
    [one] = twice.verify_cosigners(COSIGNER_KEYS)
    assert one.timestamp == NOW
    with pytest.raises(CheckpointError, match="1 of 3") as caught:
        twice.verify_cosigners(COSIGNER_KEYS, at_least=2)
    assert caught.value.check == "log.cosignature"


def test_a_cosignature_with_another_time_is_refused() -> None:
    *_, line = cosigned(1).note.signatures
    moved = replace(line, signature=(NOW + 1).to_bytes(8, "big") + line.signature[8:])
    for signature in (moved, replace(line, signature=bytes(8) + line.signature[8:])):
        with pytest.raises(CheckpointError) as caught:
            HEAD.with_lines([signature]).verify_cosigners(COSIGNER_KEYS)
        assert caught.value.check == "log.cosignature"


def test_a_cosignature_of_another_checkpoint_is_refused() -> None:
    other = signed_head([b"a", b"b"])
    line = cosign(other.note.text, COSIGNER_KEYS[0], COSIGNERS[0], timestamp=NOW)
    with pytest.raises(CheckpointError, match="does not verify"):
        HEAD.with_lines([line]).verify_cosigners(COSIGNER_KEYS)


def test_a_log_signature_is_no_cosignature() -> None:
    same_key = NoteKey.of(ORIGIN, LOG_SIGNER.public_key, role="cosigner")
    assert HEAD.verify_cosigners([same_key]) == ()
    assert same_key.key_id != LOG_KEY.key_id


def test_no_cosigner_counts_twice() -> None:
    with pytest.raises(InputError, match="named twice"):
        require_distinct({"cosigner": [COSIGNER_KEYS[0], COSIGNER_KEYS[0]]})
    alias = NoteKey.of("witness.example/alias", COSIGNERS[0].public_key, role="cosigner")
    with pytest.raises(InputError, match="named twice"):
        require_distinct({"cosigner": [COSIGNER_KEYS[0], alias]})
    with pytest.raises(InputError, match="vkey of a log"):
        require_distinct({"cosigner": [LOG_KEY]})


def test_time_zero_is_never_cosigned() -> None:
    with pytest.raises(InputError):
        cosign(HEAD.note.text, COSIGNER_KEYS[0], COSIGNERS[0], timestamp=0)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "example.com/foo",
        EXAMPLE_VKEY.replace("530d903a", "530D903A"),
        EXAMPLE_VKEY.replace("530d903a", "530d903b"),
        EXAMPLE_VKEY.replace("foo", "fo o"),
        EXAMPLE_VKEY + "\n",
        EXAMPLE_VKEY[:-1],
        EXAMPLE_VKEY[:-1] + "=",
        EXAMPLE_VKEY.replace("+Aek", "+Bek"),
        "a" * 400 + EXAMPLE_VKEY,
    ],
)
def test_what_is_no_vkey_is_refused(vkey: str) -> None:
    with pytest.raises(KeyFormatError):
        NoteKey.from_vkey(vkey)


def test_weak_and_foreign_keys_are_refused() -> None:
    weak = encode_base64(b"\x01" + bytes([1]) + bytes(31))
    with pytest.raises(SmallOrderKeyError):
        NoteKey.from_vkey(f"log.example+00000000+{weak}")
    with pytest.raises(UnsupportedKeyError):
        NoteKey.of("log.example", generate("p256").public_key, role="log")
    raw = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw()
    with pytest.raises(UnsupportedKeyError):
        NoteKey.from_vkey(f"log.example+00000000+{encode_base64(bytes([6]) + raw)}")


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2003b", "x" * 257])
def test_names_that_a_note_cannot_carry_are_refused(name: str) -> None:
    with pytest.raises(InputError):
        NoteKey.of(name, LOG_SIGNER.public_key, role="log")
