"""Callers: their keys, and how much they may ask for.

Spec: spec/v1/serve.md, section 2. Keys are read from the database beside the event loop, every
`REFRESH_SECONDS`, and found in memory: no request waits for the database to learn who sent it.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from veridical.inference_protocol import ProtocolError
from veridical.serve.storage import ApiKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from veridical.serve.storage import Store

__all__ = ["ANONYMOUS", "Accounts", "new_key"]

_PREFIX: Final = "vk_"
#: How often the keys are read.
REFRESH_SECONDS: Final = 2.0
#: What was read longer ago says nothing: a key may have been taken back since. The specification
#: promises ten seconds, and the rest is for a request that is under way.
_STALE_SECONDS: Final = 8.0
#: An unknown key may be a new one, so the keys are read at once; but not for each of many guesses.
_UNKNOWN_SECONDS: Final = 1.0
_MAX_SECRET: Final = 256
_MAX_RETRY_SECONDS: Final = 3600

#: Who calls a gateway that asks for no key.
ANONYMOUS: Final = ApiKey(
    key_id="",
    secret_hash="",
    name="anonymous",
    requests_per_second=100_000,
    max_queued_proofs=4096,
    created_at=0,
    units_per_second=10**12,
    is_operator=True,
)


def new_key(
    store: Store,
    *,
    name: str,
    requests_per_second: int = 1000,
    max_queued_proofs: int = 1000,
    units_per_second: int = 2_000_000,
    is_operator: bool = False,
    may_share: bool = False,
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
            units_per_second=units_per_second,
            is_operator=is_operator,
            may_share=may_share,
        )
    )
    return secret


@dataclass(slots=True)
class _Allowance:
    """What a caller has left: it grows with time up to what one second gives."""

    requests: float
    #: Below zero after a request that cost more than was left; then the caller waits.
    units: float
    at: float


class Accounts:
    """Finds the caller of a request, and counts its requests and their work.

    Its methods are called on one thread, that of the event loop; `read` may run on another one.
    """

    def __init__(
        self,
        store: Store,
        *,
        is_open: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Know of no keys yet; `is_open` lets everybody call without one."""
        self._store = store
        self._is_open = is_open
        self._clock = clock
        self._keys: dict[str, ApiKey] = {}
        self._read_at = float("-inf")
        #: When an unknown key made us read them.
        self._guessed_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self._allowances: dict[str, _Allowance] = {}

    @property
    def is_open(self) -> bool:
        """Whether everybody may call without a key."""
        return self._is_open

    async def caller(self, authorization: str | None, api_key: str | None) -> ApiKey:
        """Return whose request this is.

        Raises:
            ProtocolError: no key, one that is unknown or was taken back, or nobody knows now.
        """
        if self._is_open:
            return ANONYMOUS
        digest = _hash(_secret(authorization, api_key))
        age = self._clock() - self._read_at
        # The hash is looked up, so time tells nothing about a secret of 256 random bits.
        key = self._keys.get(digest) if age < _STALE_SECONDS else None
        is_stale = age >= _STALE_SECONDS
        if key is None and (is_stale or self._clock() - self._guessed_at >= _UNKNOWN_SECONDS):
            self._guessed_at = self._clock()
            await self._refresh()
            if self._clock() - self._read_at >= _STALE_SECONDS:
                raise ProtocolError(
                    503, "unavailable", "the keys of callers cannot be read now", retry_after=1
                )
            key = self._keys.get(digest)
        if key is None:
            raise _unauthorized("the API key is unknown, or was taken back")
        return key

    def read(self) -> None:
        """Read the keys; what was found before stays if the database does not answer."""
        started_at = self._clock()
        keys = {key.secret_hash: key for key in self._store.callers() if key.revoked_at is None}
        self._keys, self._read_at = keys, started_at

    async def keep_fresh(self) -> None:
        """Read the keys again and again."""
        while not self._is_open:
            await self._refresh()
            await asyncio.sleep(REFRESH_SECONDS)

    def count(self, key: ApiKey) -> None:
        """Count one request.

        Raises:
            ProtocolError: the caller made more than its key allows.
        """
        rate = float(key.requests_per_second)
        allowance = self._allowance(key)
        if allowance.requests < 1:
            raise ProtocolError(
                429, "rate_limited", f"more than {int(rate)} requests a second", retry_after=1
            )
        allowance.requests -= 1

    def spend(self, key: ApiKey, units: int) -> None:
        """Take what a run is quoted at from what the caller has left, which may go below zero.

        Raises:
            ProtocolError: nothing is left.
        """
        allowance = self._allowance(key)
        if allowance.units <= 0:
            seconds = math.ceil((1 - allowance.units) / max(key.units_per_second, 1))
            raise ProtocolError(
                429,
                "work_limited",
                f"more than {key.units_per_second} units of work a second",
                retry_after=min(max(seconds, 1), _MAX_RETRY_SECONDS),
            )
        allowance.units -= units

    def settle(self, key: ApiKey, *, quoted: int, cost: int) -> None:
        """Give back what a run was quoted at and did not cost."""
        allowance = self._allowance(key)
        allowance.units = min(allowance.units + quoted - cost, float(key.units_per_second))

    def _allowance(self, key: ApiKey) -> _Allowance:
        rate, units = float(key.requests_per_second), float(key.units_per_second)
        now = self._clock()
        allowance = self._allowances.get(key.key_id)
        if allowance is None:
            allowance = self._allowances[key.key_id] = _Allowance(rate, units, now)
            return allowance
        passed = now - allowance.at
        allowance.requests = min(rate, allowance.requests + passed * rate)
        allowance.units = min(units, allowance.units + passed * units)
        allowance.at = now
        return allowance

    async def _refresh(self) -> None:
        """Read the keys beside the event loop, from now on; whoever comes meanwhile waits too."""
        before = self._reading
        if before is not None and not before.done():
            await asyncio.shield(before)  # it may have begun before the key was made
        if self._reading is before:
            self._reading = asyncio.create_task(self._read_once())
        if self._reading is not None:
            await asyncio.shield(self._reading)

    async def _read_once(self) -> None:
        try:
            await run_in_threadpool(self.read)
        except (SQLAlchemyError, OSError):
            return  # seen by their age


def _secret(authorization: str | None, api_key: str | None) -> str:
    secret = api_key
    if authorization is not None:
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise _unauthorized("the header Authorization is not of the scheme Bearer")
        if api_key is not None and api_key.strip() != secret.strip():
            raise _unauthorized("the headers Authorization and X-API-Key differ")
    if not secret or len(secret) > _MAX_SECRET:
        raise _unauthorized("this gateway asks for an API key")
    return secret.strip()


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _unauthorized(message: str) -> ProtocolError:
    return ProtocolError(401, "unauthorized", message)
