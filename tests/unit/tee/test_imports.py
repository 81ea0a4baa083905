"""Evidence of other services: accepted when it holds, and every forgery rejected by its name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from coincurve import PrivateKey as AccountKey

from tests.unit.tee import services
from tests.unit.tee.services import EDWARDS, NONCE, REQUEST, Scene, aci, near, resign, sha256, sign
from veridical.cli.app import run
from veridical.errors import Error, QuoteError
from veridical.tee import Outcome
from veridical.tee.imports import MISSING, Imported, read_service
from veridical.tee.imports.foreign import DOCUMENT_MAX_BYTES, canonical, read_document
from veridical.tee.imports.signatures import keccak256, require_ecdsa, require_ed25519

Change = Callable[[Scene], None]


def judged(scene: Scene) -> Imported:
    return read_service(*scene.documents).judge(
        request=scene.request,
        response=scene.response,
        policy=scene.tee_policy,
        collateral=scene.collateral,
        time=scene.time,
    )


def verdict(scene: Scene) -> tuple[Outcome, str]:
    """Return how it ended and by which check; a refusal to read it is a rejection."""
    try:
        imported = judged(scene)
    except QuoteError as error:
        return Outcome.REJECTED, error.check or ""
    return imported.outcome, imported.deciding.check


@pytest.mark.parametrize(
    "scene",
    [
        near(),
        near(is_listed=True),
        near("ed25519"),
        near(model="toy/model:latest"),
        near(tls=bytes([5]) * 32),
        near(gpus=2),
        aci(),
        aci(nonce=None),
    ],
    ids=["ecdsa", "listed", "ed25519", "model", "tls", "gpus", "aci", "aci-without-nonce"],
)
def test_what_holds_is_accepted_and_says_what_it_does_not_bind(scene: Scene) -> None:
    imported = judged(scene)
    refused = [one for one in imported.all_findings if one.outcome is not Outcome.ACCEPTED]
    assert not refused
    assert imported.error is None
    assert {"weights", "order"} <= set(imported.missing) <= set(MISSING)
    assert {"time", "trusted-time"} & set(imported.missing)
    assert imported.not_covered[0].startswith("SIMULATED")
    assert imported.said is not None
    assert imported.said.request_sha256 == sha256(REQUEST)
    json.dumps(imported.to_value())


def test_missing_bindings_follow_from_what_is_there() -> None:
    assert "model" in judged(near()).missing
    assert "model" not in judged(near(model="toy/model")).missing
    assert "gpu" in judged(near()).missing
    assert "gpu" not in judged(near(gpus=1)).missing
    assert "nonce" not in judged(near()).missing
    assert "upstream" in judged(aci()).missing


def signature(**members: object) -> Change:
    return lambda scene: scene.signature.update(members)


def report(**members: object) -> Change:
    return lambda scene: scene.report.update(members)


def given(**members: object) -> Change:
    def change(scene: Scene) -> None:
        for name, value in members.items():
            setattr(scene, name, value)

    return change


def resigned(text: str) -> Change:
    return signature(text=text, signature="0x" + sign(text, "ecdsa").hex())


def flipped(scene: Scene) -> None:
    content = bytearray.fromhex(scene.signature["signature"].removeprefix("0x"))
    content[40] ^= 1
    scene.signature["signature"] = content.hex()


def other_account(scene: Scene) -> None:
    """Sign with a key that no quote names, and say so."""
    text = scene.signature["text"].encode()
    other = AccountKey(bytes([8]) * 32)
    message = b"\x19Ethereum Signed Message:\n%d" % len(text) + text
    made = other.sign_recoverable(message, hasher=keccak256)
    address = keccak256(other.public_key.format(compressed=False)[1:])[-20:]
    scene.signature.update(signature=made.hex(), signing_address=address.hex())


def other_account_listed(scene: Scene) -> None:
    """Say in the report as well that the quote is that key's."""
    other_account(scene)
    scene.report["signing_address"] = scene.signature["signing_address"]


def second_form(scene: Scene) -> None:
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    content = bytes.fromhex(scene.signature["signature"].removeprefix("0x"))
    s = order - int.from_bytes(content[32:64], "big")
    v = 55 - content[64]
    scene.signature["signature"] = (content[:32] + s.to_bytes(32, "big") + bytes([v])).hex()


def changed_event(scene: Scene) -> None:
    events = json.loads(scene.report["event_log"])
    events[0]["event_payload"] = "04" * 32
    scene.report["event_log"] = json.dumps(events)


OTHER = f"{sha256(b'other')}:{sha256(services.RESPONSE)}"
FORGERIES: list[tuple[str, Change, Outcome, str]] = [
    ("signature", flipped, Outcome.REJECTED, "tee.import-signature"),
    ("text", signature(text=OTHER), Outcome.REJECTED, "tee.import-signature"),
    ("second form", second_form, Outcome.REJECTED, "tee.import-signature"),
    ("signer", other_account, Outcome.REJECTED, "tee.import-signer"),
    ("borrowed quote", other_account_listed, Outcome.REJECTED, "tee.binding"),
    ("other request", given(request=b"other"), Outcome.REJECTED, "tee.import-request"),
    ("other response", given(response=b"other"), Outcome.REJECTED, "tee.import-response"),
    ("signed other", resigned(OTHER), Outcome.REJECTED, "tee.import-request"),
    ("replay", given(nonce=bytes(32)), Outcome.REJECTED, "tee.nonce"),
    ("nonce in report", report(request_nonce="00" * 32), Outcome.REJECTED, "tee.nonce"),
    ("TLS added", report(tls_cert_fingerprint="05" * 32), Outcome.REJECTED, "tee.binding"),
    ("event log", changed_event, Outcome.REJECTED, "tee.event-log"),
    ("simulator", given(root="0" * 64), Outcome.REJECTED, "tee.simulated"),
    ("no GPU", given(policy={"gpus": 1}), Outcome.REJECTED, "tee.gpu-missing"),
    ("no model", given(policy={"require_model": True}), Outcome.REJECTED, "tee.model"),
    ("text form", resigned("hello"), Outcome.REJECTED, "tee.format"),
    ("algorithm", signature(signing_algo="rsa"), Outcome.REJECTED, "tee.format"),
    ("quote", report(intel_quote="00" * 64), Outcome.REJECTED, "tee.format"),
    ("no request", given(request=None), Outcome.UNDECIDED, "tee.import-request"),
    ("no response", given(response=None), Outcome.UNDECIDED, "tee.import-response"),
    ("no time", given(time=None), Outcome.UNDECIDED, "tee.time"),
]


@pytest.mark.parametrize(
    ("change", "outcome", "check"), [row[1:] for row in FORGERIES], ids=[r[0] for r in FORGERIES]
)
def test_forged_answers_of_near(change: Change, outcome: Outcome, check: str) -> None:
    scene = near()
    change(scene)
    assert verdict(scene) == (outcome, check)


def test_gpus_of_other_machines() -> None:
    assert verdict(near(gpus=1, gpu_nonce=bytes(32))) == (Outcome.REJECTED, "tee.gpu-nonce")
    scene = near(gpus=1)
    payload = json.loads(scene.report["nvidia_payload"])
    payload["evidence_list"] *= 2
    scene.report["nvidia_payload"] = json.dumps(payload)
    assert verdict(scene) == (Outcome.REJECTED, "tee.gpu-repeated")


def receipt(**members: object) -> Change:
    """Let the signer itself say something else."""

    def change(scene: Scene) -> None:
        scene.signature.update(members)
        resign(scene)

    return change


def key_set(**members: object) -> Change:
    return lambda scene: scene.report["attestation"]["workload_keyset"].update(members)


def without_response(scene: Scene) -> None:
    scene.signature["event_log"].pop()
    resign(scene)


RECEIPTS: list[tuple[str, Change, Outcome, str]] = [
    ("signature", flipped, Outcome.REJECTED, "tee.import-signature"),
    ("model", signature(model="other"), Outcome.REJECTED, "tee.import-signature"),
    ("unknown key", receipt(key_id="r2"), Outcome.REJECTED, "tee.key"),
    ("key set", key_set(not_after=2**40), Outcome.REJECTED, "tee.key"),
    ("expired", receipt(served_at=2**40), Outcome.REJECTED, "tee.key-expired"),
    ("late", given(time=2**33), Outcome.REJECTED, "tee.key-expired"),
    ("no response", without_response, Outcome.REJECTED, "tee.import-events"),
    ("other request", given(request=b"other"), Outcome.REJECTED, "tee.import-request"),
    ("other response", given(response=b"other"), Outcome.REJECTED, "tee.import-response"),
    ("replay", given(nonce=bytes(32)), Outcome.REJECTED, "tee.binding"),
    ("nonce not given", given(nonce=None), Outcome.UNDECIDED, "tee.nonce"),
    ("simulator", given(root="0" * 64), Outcome.REJECTED, "tee.simulated"),
    ("fraction", receipt(served_at=1), Outcome.ACCEPTED, "tee.key"),
]


@pytest.mark.parametrize(
    ("change", "outcome", "check"), [row[1:] for row in RECEIPTS], ids=[r[0] for r in RECEIPTS]
)
def test_forged_receipts_of_aci(change: Change, outcome: Outcome, check: str) -> None:
    scene = aci()
    change(scene)
    assert verdict(scene) == (outcome, check)


def test_a_request_that_was_rewritten_or_went_to_nobody_known() -> None:
    assert verdict(aci(forwarded=b"other")) == (Outcome.REJECTED, "tee.import-forwarded")
    assert verdict(aci(result="failed")) == (Outcome.REJECTED, "tee.import-upstream")


def test_known_answers() -> None:
    empty = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak256(b"").hex() == empty
    value = {"b": [1, None, True], "a": "\u20ac\n", "\U0001f600": 1, "\ufb33": 2}
    expected = '{"a":"\u20ac\\n","b":[1,null,true],"\U0001f600":1,"\ufb33":2}'
    assert canonical(value, where="test") == expected.encode()  # names in order of UTF-16


SMALL = bytes([1]) + bytes(31)  # of small order: one signature fits every message


@pytest.mark.parametrize("content", [bytes(65), b"\xff" * 65, bytes(64), b""])
def test_signatures_that_fit_nothing(content: bytes) -> None:
    for require, signer in ((require_ecdsa, bytes(20)), (require_ed25519, SMALL)):
        with pytest.raises(QuoteError) as caught:
            require(content, b"x", signer)
        assert caught.value.check == "tee.import-signature"


def test_a_key_of_small_order_signs_nothing() -> None:
    with pytest.raises(QuoteError, match="order") as caught:
        require_ed25519(SMALL + bytes(32), b"x", SMALL)
    assert caught.value.check == "tee.import-signature"


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"{", b"\xff", b'{"a":1,"a":1}', b'{"a":NaN}', b'{"a":' * 100_000,
        b'{"a":' + b"9" * 5000 + b"}", b" " * (DOCUMENT_MAX_BYTES + 1),
    ],
)  # fmt: skip
def test_documents_that_are_refused(content: bytes) -> None:
    with pytest.raises(QuoteError):
        read_document(content, where="test")
    with pytest.raises(Error):
        read_service(content, b"{}")


@pytest.mark.parametrize("value", [{"a": 0.5}, {"a": 2**53}, {"a": "\ud800"}, {"\ud800": 1}])
def test_values_without_a_canonical_form(value: object) -> None:
    with pytest.raises(QuoteError):
        canonical(value, where="test")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene = near(model="toy/model")
    bundle = tmp_path / "collateral.json"
    bundle.write_bytes(scene.collateral.to_bytes())
    contents = dict(zip(("report", "signature"), scene.documents, strict=True))
    contents |= {"request": REQUEST, "response": services.RESPONSE}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    line = ["tee", "import", str(tmp_path / "report"), "--signature", str(tmp_path / "signature")]
    line += ["--collateral", str(bundle), "--at", str(scene.time), "--no-store"]
    line += ["--nonce", NONCE.hex()]
    files = [w for n in ("request", "response") for w in (f"--{n}", str(tmp_path / n))]
    assert run([*line, *files]) == 1
    assert "tee.simulated" in capsys.readouterr().out
    allow = ["--allow", scene.root]
    assert run([*line, *files, *allow]) == 0
    out = capsys.readouterr().out
    assert out.startswith("accepted\nservice   near\n")
    assert "not bound: weights: " in out
    assert run([*line, *allow]) == 3
    capsys.readouterr()
    assert run([*line, *files, *allow, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "accepted"
    assert document["said"]["signer"] == "0x" + services.address_of("ecdsa").hex()
    assert run([*line, "--nonce", "00"]) == 2
    assert EDWARDS.public_key().public_bytes_raw().hex() not in out
