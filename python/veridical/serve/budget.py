"""Memory for requests: so many bytes for all of them, and a share for each caller.

Spec: spec/v1/serve.md, section 2. A limit on the number of requests says nothing about memory: a
thousand bodies of the largest size are more than a machine has.
"""

from __future__ import annotations

import threading

from veridical.inference_protocol import ProtocolError

__all__ = ["ByteBudget"]


class ByteBudget:
    """Counts the bytes that requests hold; thread-safe."""

    def __init__(self, *, total: int, per_key: int) -> None:
        """Allow `total` bytes, and each caller `per_key` of them."""
        self._total = total
        self._share = per_key
        self._lock = threading.Lock()
        self._by_key: dict[str, int] = {}
        self._held = 0

    @property
    def held(self) -> int:
        """How many bytes are held now."""
        return self._held

    def take(self, key_id: str, size: int) -> None:
        """Take bytes.

        Raises:
            ProtocolError: all requests, or those of this caller, hold too many.
        """
        with self._lock:
            mine = self._by_key.get(key_id, 0) + size
            if mine > self._share:
                raise ProtocolError(
                    429,
                    "too_many_bytes",
                    f"the requests of this key hold more than {self._share} bytes",
                    retry_after=1,
                )
            if self._held + size > self._total:
                raise ProtocolError(
                    503, "overloaded", "requests hold too much memory", retry_after=1
                )
            self._by_key[key_id] = mine
            self._held += size

    def give(self, key_id: str, size: int) -> None:
        """Give bytes back."""
        with self._lock:
            self._held -= size
            left = self._by_key.get(key_id, 0) - size
            if left > 0:
                self._by_key[key_id] = left
            else:  # callers that ask for nothing now cost no memory
                self._by_key.pop(key_id, None)
