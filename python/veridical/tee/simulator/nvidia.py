"""Simulated reports of NVIDIA's GPUs, with reference measurements that fit them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.signer import XMLSigner

from veridical.tee.claims import Family
from veridical.tee.collateral import CollateralItem, Kind
from veridical.tee.evidence import QuoteBlob
from veridical.tee.nvidia import join
from veridical.tee.simulator.pki import Authority, sign_raw
from veridical.tee.x509 import pem_of

__all__ = ["SimulatedGpu"]

_SWID: Final = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd"
_SHA384: Final = "http://www.w3.org/2001/04/xmlenc#sha384"
_CHIPS: Final = {"hopper": "GH100", "blackwell": "GB100"}
_DRIVER, _VBIOS = "999.0", "00.00.00.00.01"
_INDICES: Final = {"driver": range(8), "vbios": range(8, 12)}


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedGpu:
    """A GPU that is none."""

    root: Authority
    generation: str = "hopper"
    serial: str = "51D0"

    def quote(self, nonce: bytes) -> tuple[QuoteBlob, tuple[CollateralItem, ...]]:
        """Make a report that answers a nonce, and its reference measurements."""
        chip = _CHIPS[self.generation]
        identity = self.root.below(f"NVIDIA {chip} Identity", ec.SECP384R1())
        provisioner = identity.below(f"NVIDIA {chip} Provisioner ICA 1", ec.SECP384R1())
        device = provisioner.issue(f"{chip} A01 GSP BROM", curve=ec.SECP384R1(), serial=self.serial)
        leaf = device.issue(f"{chip} A01 GSP FMC LF", curve=ec.SECP384R1(), may_issue=False)
        signed = self._signed(nonce)
        report = signed + sign_raw(leaf.key, signed, hashes.SHA384(), size=48)
        chain = "".join(pem_of(d) for d in leaf.ders).encode()
        return QuoteBlob(Family.NVIDIA_GPU, join(report, chain)), self._references(chip)

    @staticmethod
    def _value(index: int) -> bytes:
        return hashlib.sha384(b"veridical simulator: measurement %d" % index).digest()

    def _signed(self, nonce: bytes) -> bytes:
        count = max(indices.stop for indices in _INDICES.values())
        record = b"".join(
            bytes([i + 1, 1]) + (51).to_bytes(2, "little") + b"\x01\x30\x00" + self._value(i)
            for i in range(count)
        )
        fields = {
            3: _DRIVER.encode() + b"\0",
            6: bytes(4) + b"\x01" + bytes(3),
            15: b"0\0",
            17: b"0\0",
            18: b"0\0",
        }
        opaque = b"".join(
            n.to_bytes(2, "little") + len(c).to_bytes(2, "little") + c for n, c in fields.items()
        )
        request = bytes.fromhex("11e001ff") + nonce + b"\0"
        head = bytes.fromhex("11600000") + bytes([count]) + len(record).to_bytes(3, "little")
        return b"".join(
            (request, head, record, bytes(32), len(opaque).to_bytes(2, "little"), opaque)
        )

    def _references(self, chip: str) -> tuple[CollateralItem, ...]:
        signer = self.root.below("simulator RIM", ec.SECP384R1()).issue(
            "simulator RIM signer", curve=ec.SECP384R1(), may_issue=False
        )
        driver = "NV_GPU_DRIVER_" if self.generation == "hopper" else "NV_GPU_CC_DRIVER_"
        names = {
            "driver": (f"{driver}{chip}_{_DRIVER}", _DRIVER),
            "vbios": (f"NV_GPU_VBIOS_0_0_0_{_VBIOS.replace('.', '')}", _VBIOS),
        }
        return tuple(
            CollateralItem(Kind.NVIDIA_RIM, name, self._rim(signer, chip, version, part))
            for part, (name, version) in names.items()
        )

    def _rim(self, signer: Authority, chip: str, version: str, part: str) -> bytes:
        root = etree.Element(f"{{{_SWID}}}SoftwareIdentity", nsmap={None: _SWID, "h": _SHA384})
        root.set("name", chip)
        etree.SubElement(root, f"{{{_SWID}}}Meta", colloquialVersion=version, product=chip)
        payload = etree.SubElement(root, f"{{{_SWID}}}Payload")
        for index in _INDICES[part]:
            resource = etree.SubElement(payload, f"{{{_SWID}}}Resource")
            values = {"type": "Measurement", "index": str(index), "active": "True"}
            for name, text in {**values, "alternatives": "1", "size": "48"}.items():
                resource.set(name, text)
            resource.set(f"{{{_SHA384}}}Hash0", self._value(index).hex())
        key = signer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        signing = XMLSigner(
            method=SignatureConstructionMethod.enveloped,
            signature_algorithm=SignatureMethod.ECDSA_SHA384,
            digest_algorithm=DigestAlgorithm.SHA384,
            c14n_algorithm=CanonicalizationMethod.CANONICAL_XML_1_1,
        )
        chain = [pem_of(d) for d in signer.ders]
        return bytes(etree.tostring(signing.sign(root, key=key, cert=chain)))
