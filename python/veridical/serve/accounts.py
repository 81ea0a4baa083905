"""Callers: their keys, and how much they may ask for.

Spec: spec/v1/serve.md, section 2.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from typing import TYPE_CHECKING, Final

from veridical.inference_protocol import ProtocolError
from veridical.serve.storage import ApiKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from veridical.serve.storage import Store

__all__ = ["ANONYMOUS", "Accounts", "new_key"]

_PREFIX: Final = "vk_"
#: How long a key that was taken back may still be used.
_REFRESH_SECONDS: Final = 5.0

#: Who calls a gateway that asks for no key.
ANONYMOUS: Final = ApiKey(
    key_id="",
    secret_hash="",
    name="anonymous",
    requests_per_second=100_000,
    max_queued_proofs=4096,
    created_at=0,
)


def new_key(
    store: Store, *, name: str, requests_per_second: int = 1000, max_queued_proofs: int = 1000
) -> str:
    """Make a key and return its secret, which is shown this once and kept nowhere."""
    key_id = secrets.token_hex(8)
    secret = f"{_PREFIX}{key_id}_{secrets.token_urlsafe(32)}"
    store.add_key(
        ApiKey(
            key_id=key_id,
            secret_hash=_hash(secret),
            name=name,
            requests_per_second=requests_per_second,
            max_queued_proofs=max_queued_proofs,
            created_at=store.now(),
        )
    )
    return secret


class Accounts:
    """Finds the caller of a request, and counts its requests."""

    def __init__(
        self,
        store: Store,
        *,
        is_open: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read the keys; `is_open` lets everybody call without one."""
        self._store = store
        self._is_open = is_open
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, ApiKey] = {}
        self._read_at = float("-inf")
        self._buckets: dict[str, tuple[float, float]] = {}

    def caller(self, authorization: str | None, api_key: str | None) -> ApiKey:
        """Return whose request this is.

        Raises:
            ProtocolError: no key, or one that is unknown or was taken back.
        """
        if self._is_open:
            return ANONYMOUS
        secret = api_key
        if authorization is not None:
            scheme, _, secret = authorization.partition(" ")
            if scheme.lower() != "bearer":
                raise _unauthorized("the header Authorization is not of the scheme Bearer")
        if not secret:
            raise _unauthorized("this gateway asks for an API key")
        # The hash is looked up, so time tells nothing about a secret of 256 random bits.
        key = self._present_keys().get(_hash(secret.strip()))
        if key is None:
            raise _unauthorized("the API key is unknown, or was taken back")
        return key

    def count(self, key: ApiKey) -> None:
        """Count one request.

        Raises:
            ProtocolError: the caller made more than its key allows.
        """
        rate = float(key.requests_per_second)
        with self._lock:
            now = self._clock()
            left, at = self._buckets.get(key.key_id, (rate, now))
            left = min(rate, left + (now - at) * rate)
            if left < 1:
                raise ProtocolError(
                    429, "rate_limited", f"more than {int(rate)} requests a second", retry_after=1
                )
            self._buckets[key.key_id] = (left - 1, now)

    def _present_keys(self) -> dict[str, ApiKey]:
        with self._lock:
            if self._clock() - self._read_at > _REFRESH_SECONDS:
                self._keys = {
                    key.secret_hash: key for key in self._store.callers() if key.revoked_at is None
                }
                self._read_at = self._clock()
            return self._keys


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _unauthorized(message: str) -> ProtocolError:
    return ProtocolError(401, "unauthorized", message)
