"""The key of a gateway that runs on attested hardware: made inside, and quoted once per epoch.

Spec: spec/v1/serve.md, section 11; spec/v1/tee.md, section 1. What vouches for an answer is then
the quote over the key that signed it, so the key never leaves the memory of the process.
"""

from __future__ import annotations

import hashlib
import logging
import time
from typing import TYPE_CHECKING, Final, Literal

from veridical.errors import Error, InputError
from veridical.tee import Freshness, FreshnessKind, Key, KeySet, Tee, parse_quote

if TYPE_CHECKING:
    from collections.abc import Callable

    from veridical.keys import PrivateKey
    from veridical.receipt.evidence import EvidenceBlob
    from veridical.tee import Attester, TeeEvidence

__all__ = ["EPOCH_SECONDS", "AttestedKey", "Hardware", "attester_of"]

Hardware = Literal["off", "auto", "simulator"]

EPOCH_SECONDS: Final = 6 * 3600
#: A quote is renewed when this part of its epoch is left.
_REST: Final = 4
_RETRY_SECONDS: Final = 30.0
#: How far the clocks of those who verify may be behind.
_LEEWAY_SECONDS: Final = 300

_LOGGER: Final = logging.getLogger("veridical.serve")


def attester_of(hardware: Hardware) -> Attester:
    """Return where quotes come from.

    Raises:
        AttesterError: the machine has nothing that is known.
    """
    if hardware == "simulator":
        from veridical.tee.simulator import Simulator

        return Simulator.of()
    from veridical.tee.attester import detect

    return detect()


class AttestedKey:
    """A key of this process, and the evidence that attested code holds it."""

    def __init__(
        self,
        attester: Attester,
        signer: PrivateKey,
        *,
        checkpoint: Callable[[], str],
        epoch_seconds: int = EPOCH_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Quote the key for the first time; `checkpoint` gives the text of the log's newest one.

        Raises:
            InputError: an epoch would be over before it was used.
            AttesterError: there is no quote of it.
        """
        if epoch_seconds < 2 * _REST:
            raise InputError(f"an epoch of {epoch_seconds} s is too short")
        self._attester = attester
        self._signer = signer
        self._checkpoint = checkpoint
        self._seconds = epoch_seconds
        self._clock = clock
        self._retry_at = float("-inf")
        self._end = 0
        self._evidence = self._quote()

    @property
    def blob(self) -> EvidenceBlob:
        """What receipts of this epoch carry."""
        return self._evidence.blob()

    @property
    def description(self) -> str:
        """The family of the processor; for a simulator SIMULATED and the digest of its root."""
        quote = self._evidence.quotes[0]
        fingerprint = getattr(self._attester, "fingerprint", "")
        if fingerprint:
            return f"SIMULATED {quote.family.value} {fingerprint}"
        claims = parse_quote(quote.family, quote.content).unverified_claims()
        return f"{quote.family.value} {claims.generation}"

    @property
    def is_over(self) -> bool:
        """Whether the last quote covers receipts of this moment no more."""
        return self._clock() >= self._end

    def renew(self) -> bool:
        """Quote the key again if its epoch ends soon; return whether there is new evidence.

        An attester that fails is asked again later, and heard of in the log of the process.
        """
        now = self._clock()
        if now < self._end - self._seconds / _REST or now < self._retry_at:
            return False
        try:
            self._evidence = self._quote()
        except Error as error:
            self._retry_at = now + _RETRY_SECONDS
            _LOGGER.warning("the receipt key was not quoted again: %s", error)
            return False
        return True

    def _quote(self) -> TeeEvidence:
        now = int(self._clock())
        digest = hashlib.sha256(self._checkpoint().encode()).digest()
        end = now + self._seconds
        key = Key.for_receipts(
            self._signer.public_key,
            not_before=now - _LEEWAY_SECONDS,
            not_after=end + _LEEWAY_SECONDS,
        )
        freshness = Freshness(FreshnessKind.CHECKPOINT, digest)
        made = Tee.of_keys(self._attester, KeySet.of(key), freshness)
        if made.keys is None:
            raise InputError("the attester made no evidence")
        self._end = end
        return made.keys
