"""Keys of the verifiable random function: Ed25519 key files, used for nothing else.

Spec: spec/v1/seeds.md, section 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn, Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from veridical import _core
from veridical.errors import UnsupportedKeyError
from veridical.keys import PrivateKey, PublicKey, generate

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["KEY_BYTES", "SeedKey", "public_bytes"]

KEY_BYTES: Final = 32


def public_bytes(key: PublicKey) -> bytes:
    """Return the 32 bytes of an Ed25519 public key.

    Raises:
        UnsupportedKeyError: the key is of another algorithm.
    """
    loaded = serialization.load_pem_public_key(key.to_pem())
    if not isinstance(loaded, Ed25519PublicKey):
        raise UnsupportedKeyError("a key for seeds is an Ed25519 key", check="key")
    return loaded.public_bytes_raw()


class SeedKey:
    """A provider's secret key for seeds. It is never printed, compared or hashed."""

    def __init__(self, key: PrivateKey) -> None:
        loaded = serialization.load_pem_private_key(key.to_pem(), password=None)
        if not isinstance(loaded, Ed25519PrivateKey):
            raise UnsupportedKeyError("a key for seeds is an Ed25519 key", check="key")
        self._secret = loaded.private_bytes_raw()
        self._public_key = key.public_key

    def __repr__(self) -> str:
        """Name the key without showing it."""
        return f"SeedKey({self._public_key.key_id[:16]})"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied: the secret stays in this process."""
        raise TypeError("a key for seeds is not pickled; load it from its file")

    @classmethod
    def generate(cls) -> Self:
        """Make a new key from the system's randomness."""
        return cls(generate("ed25519"))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Load a private key file that only its owner may read, as `veridical key new` writes it.

        Raises:
            InputError: the file cannot be read, others can read it, or it is no Ed25519 key.
        """
        return cls(PrivateKey.load(path))

    @property
    def public_key(self) -> PublicKey:
        """The public half, which verifiers name."""
        return self._public_key

    def prove(self, alpha: bytes, /) -> tuple[bytes, bytes]:
        """Return the proof for an input and the one output that belongs to it."""
        return _core.vrf_prove(self._secret, alpha)
