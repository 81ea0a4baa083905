"""The simulator's own makers: one root that says what it is, and certificates under it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from veridical.tee.x509 import SIMULATOR_NAME, fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Authority", "raw_signature", "sign_raw"]

_YEAR: Final = timedelta(days=365)


def raw_signature(der: bytes, size: int, order: str) -> bytes:
    """Return `r || s` in numbers of a size."""
    return b"".join(n.to_bytes(size, order) for n in decode_dss_signature(der))  # type: ignore[arg-type] # one of the two


def sign_raw(
    key: ec.EllipticCurvePrivateKey,
    content: bytes,
    algorithm: hashes.HashAlgorithm,
    *,
    size: int,
    order: str = "big",
) -> bytes:
    """Sign, and return the signature as quotes hold it."""
    return raw_signature(key.sign(content, ec.ECDSA(algorithm)), size, order)


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate with its key, which can issue others; the root is made by `root`."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    issuer: Authority | None = None
    _below: dict[str, Authority] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def root(cls, *, now: datetime | None = None) -> Authority:
        """Make a root that calls itself a simulator's."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SIMULATOR_NAME)])
        moment = now or datetime.now(tz=UTC)
        builder = _builder(name, name, key.public_key(), moment - _YEAR, moment + 10 * _YEAR)
        builder = _as_issuer(builder, key.public_key(), key.public_key())
        return cls(builder.sign(key, hashes.SHA256()), key)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate: what a policy names."""
        return fingerprint(self.certificate)

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """This certificate, its issuer, and so on to the root."""
        above = () if self.issuer is None else self.issuer.chain
        return (self.certificate, *above)

    @property
    def ders(self) -> tuple[bytes, ...]:
        """The chain as DER."""
        return tuple(c.public_bytes(Encoding.DER) for c in self.chain)

    def below(self, name: str, curve: ec.EllipticCurve | None = None) -> Authority:
        """Return the issuer with this name, made when it is first asked for."""
        if name not in self._below:
            self._below[name] = self.issue(name, curve=curve)
        return self._below[name]

    def issue(
        self,
        name: str,
        *,
        curve: ec.EllipticCurve | None = None,
        may_issue: bool = True,
        serial: str | None = None,
        extensions: Iterable[tuple[str, bytes]] = (),
        validity: tuple[datetime, datetime] | None = None,
    ) -> Authority:
        """Issue a certificate for a new key."""
        key = ec.generate_private_key(curve or ec.SECP256R1())
        attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
        if serial is not None:
            attributes.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, serial))
        own = self.certificate
        first, last = validity or (own.not_valid_before_utc, own.not_valid_after_utc)
        builder = _builder(x509.Name(attributes), own.subject, key.public_key(), first, last)
        if may_issue:
            builder = _as_issuer(builder, key.public_key(), self.key.public_key())
        else:
            builder = builder.add_extension(_usage(is_issuer=False), critical=True)
            builder = builder.add_extension(
                x509.BasicConstraints(ca=False, path_length=None), critical=True
            )
            builder = builder.add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
        for oid, content in extensions:
            unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), content)
            builder = builder.add_extension(unknown, critical=False)
        algorithm = hashes.SHA384() if self.key.curve.key_size > 256 else hashes.SHA256()  # noqa: PLR2004 - P-256
        return Authority(builder.sign(self.key, algorithm), key, self)

    def crl(self, since: datetime, until: datetime) -> bytes:
        """Return an empty list of revocations."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(since)
            .next_update(until)
            .add_extension(x509.CRLNumber(1), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
        )
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    first: datetime,
    last: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(first)
        .not_valid_after(last)
    )


def _as_issuer(
    builder: x509.CertificateBuilder,
    key: ec.EllipticCurvePublicKey,
    issuer: ec.EllipticCurvePublicKey,
) -> x509.CertificateBuilder:
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(is_issuer=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), critical=False)
    )


def _usage(*, is_issuer: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_issuer,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_issuer,
        crl_sign=is_issuer,
        encipher_only=False,
        decipher_only=False,
    )
