"""Other services, played by the simulator: reports and signatures in the shape they use."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from coincurve import PrivateKey as AccountKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.toy import NOW
from tests.unit.tee.scenes import simulator
from veridical.commitment import frame
from veridical.tee import Collateral, TeePolicy
from veridical.tee.imports.aci import statement
from veridical.tee.imports.foreign import canonical
from veridical.tee.imports.signatures import keccak256
from veridical.tee.runtime import Event
from veridical.tee.simulator.intel import SimulatedIntel
from veridical.tee.simulator.nvidia import SimulatedGpu

REQUEST = b'{"model":"toy/model","messages":[{"role":"user","content":"hi"}]}'
RESPONSE = b'{"id":"chatcmpl-1","choices":[]}'
NONCE = bytes(range(32))
ACCOUNT = AccountKey(bytes([7]) * 32)
EDWARDS = Ed25519PrivateKey.from_private_bytes(bytes([9]) * 32)
EVENT = Event.of_application("compose-hash", bytes([3]) * 32)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def eip191(text: str) -> bytes:
    content = text.encode()
    signed = b"\x19Ethereum Signed Message:\n%d" % len(content) + content
    signature = ACCOUNT.sign_recoverable(signed, hasher=keccak256)
    return signature[:64] + bytes([signature[64] + 27])


def address_of(algorithm: str) -> bytes:
    if algorithm == "ed25519":
        return EDWARDS.public_key().public_bytes_raw()
    return keccak256(ACCOUNT.public_key.format(compressed=False)[1:])[-20:]


def sign(text: str, algorithm: str) -> bytes:
    return eip191(text) if algorithm == "ecdsa" else EDWARDS.sign(text.encode())


def foreign_log(events: tuple[Event, ...]) -> str:
    return json.dumps(
        [
            {
                "imr": e.register,
                "event_type": e.type,
                "digest": e.digest.hex(),
                "event": e.name,
                "event_payload": e.payload.hex(),
            }
            for e in events
        ]
    )


@dataclass
class Scene:
    """What a service handed out; tests change its documents before they judge them."""

    report: dict[str, Any]
    signature: dict[str, Any]
    collateral: Collateral
    root: str
    request: bytes | None = REQUEST
    response: bytes | None = RESPONSE
    nonce: bytes | None = NONCE
    time: int | None = NOW
    policy: dict[str, Any] = field(default_factory=dict)

    @property
    def documents(self) -> tuple[bytes, bytes]:
        return json.dumps(self.report).encode(), json.dumps(self.signature).encode()

    @property
    def tee_policy(self) -> TeePolicy:
        members = {"simulators": frozenset({self.root}), "nonce": self.nonce, **self.policy}
        return TeePolicy(**members)


def near(
    algorithm: str = "ecdsa",
    *,
    model: str | None = None,
    tls: bytes | None = None,
    gpus: int = 0,
    is_listed: bool = False,
    gpu_nonce: bytes = NONCE,
    nonce: bytes = NONCE,
) -> Scene:
    sim = simulator()
    assert isinstance(sim.machine, SimulatedIntel)
    machine = SimulatedIntel(root=sim.root, issued=sim.machine.issued, events=(EVENT,))
    address = address_of(algorithm)
    first = address.ljust(32, b"\0") if tls is None else hashlib.sha256(address + tls).digest()
    quote, items = machine.quote(first + nonce)
    found = {(i.kind, i.subject): i for i in items}
    evidence = []
    for index in range(gpus):
        blob, more = SimulatedGpu(root=sim.root, serial=f"51D{index}").quote(gpu_nonce)
        found |= {(i.kind, i.subject): i for i in more}
        report, chain = unframe(blob.content)
        evidence.append(
            {
                "arch": "HOPPER",
                "certificate": base64.b64encode(chain).decode(),
                "evidence": base64.b64encode(report).decode(),
            }
        )
    prefix = "0x" if algorithm == "ecdsa" else ""
    attestation: dict[str, Any] = {
        "signing_address": prefix + address.hex(),
        "signing_algo": algorithm,
        "intel_quote": quote.content.hex(),
        "event_log": foreign_log((EVENT,)),
        "request_nonce": nonce.hex(),
        "info": {"tcb_info": {"app_compose": "{}"}, "load": 0.5},
    }
    if evidence:
        payload = {"arch": "HOPPER", "nonce": gpu_nonce.hex(), "evidence_list": evidence}
        attestation["nvidia_payload"] = json.dumps(payload)
    if tls is not None:
        attestation["tls_cert_fingerprint"] = tls.hex()
    hashes = f"{sha256(REQUEST)}:{sha256(RESPONSE)}"
    text = hashes if model is None else f"{model}:{hashes}"
    signature = {
        "text": text,
        "signature": prefix + sign(text, algorithm).hex(),
        "signing_address": prefix + address.hex(),
        "signing_algo": algorithm,
    }
    report_ = {"model_attestations": [attestation]} if is_listed else attestation
    return Scene(report_, signature, Collateral.of(found.values()), sim.fingerprint)


def unframe(content: bytes) -> tuple[bytes, bytes]:
    size = len(frame(b""))  # the length before each field
    length = int.from_bytes(content[:size], "little")
    return content[size : size + length], content[size + length + size :]


def resign(scene: Scene) -> None:
    """Sign an ACI receipt again, after a change that its signer made."""
    unsigned = {name: v for name, v in scene.signature.items() if name != "signature"}
    scene.signature["signature"] = EDWARDS.sign(canonical(unsigned, where="receipt")).hex()


def aci(
    *, nonce: bytes | None = NONCE, forwarded: bytes = REQUEST, result: str = "verified"
) -> Scene:
    sim = simulator()
    assert isinstance(sim.machine, SimulatedIntel)
    machine = SimulatedIntel(root=sim.root, issued=sim.machine.issued, events=(EVENT,))
    key_set = {
        "subject": None,
        "not_after": NOW + 3600,
        "receipt_signing_keys": [
            {
                "key_id": "r1",
                "algo": "ed25519",
                "public_key": EDWARDS.public_key().public_bytes_raw().hex(),
            }
        ],
        "e2ee_public_keys": [],
        "tls_public_keys": [{"spki_sha256": "c0" * 32, "domain": "api.example"}],
    }
    digest = "sha256:" + sha256(canonical(key_set, where="key set"))
    value = hashlib.sha256(statement(digest, nonce)).digest()
    quote, items = machine.quote(value.ljust(64, b"\0"))
    report = {
        "api_version": "aci/1",
        "workload_keyset_digest": digest,
        "attestation": {
            "tee_type": "tdx",
            "workload_keyset": key_set,
            "report_data": value.hex(),
            "source_provenance": {"repo_url": "https://code.example/repo"},
            "evidence": {"quote": quote.content.hex(), "event_log": foreign_log((EVENT,))},
        },
        "service_capabilities": {"serving": "aggregator", "supported_e2ee_versions": []},
    }
    receipt = {
        "api_version": "aci/1",
        "receipt_id": "rcpt-1",
        "chat_id": "chatcmpl-1",
        "model": "toy/model é",
        "workload_keyset_digest": digest,
        "endpoint": "/v1/chat/completions",
        "method": "POST",
        "served_at": NOW,
        "event_log": [
            {"type": "request.received", "body_hash": "sha256:" + sha256(REQUEST)},
            {"type": "request.forwarded", "body_hash": "sha256:" + sha256(forwarded)},
            {
                "type": "upstream.verified",
                "result": result,
                "required": True,
                "model_id": "toy/model",
                "session_id": "cd" * 32,
            },
            {"type": "response.returned", "body_hash": "sha256:" + sha256(RESPONSE)},
        ],
        "key_id": "r1",
    }
    scene = Scene(report, receipt, Collateral.of(items), sim.fingerprint, nonce=nonce)
    resign(scene)
    return scene
