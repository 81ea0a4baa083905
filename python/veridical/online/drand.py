"""Rounds of a drand chain, from relays that nobody has to trust.

Spec: spec/v1/seeds.md, section 5. Every round is verified with the chain's pinned key; a relay can
withhold one, which voids the intent, and cannot choose one.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Final

import httpx

from veridical.errors import InputError, SeedError
from veridical.online.fetch import NoAnswerError, fetch, require_address
from veridical.seeds import QUICKNET, DrandChain, Round

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["PUBLIC_RELAYS", "DrandRelays"]

#: Relays that the operators of drand run for everybody; asked only if they are passed.
PUBLIC_RELAYS: Final = ("https://api.drand.sh", "https://drand.cloudflare.com")
SECONDS: Final = 3.0
#: How long after it is due a round is waited for.
PATIENCE_SECONDS: Final = 10.0
PAUSE_SECONDS: Final = 0.5
#: The round of an intent is due within ten seconds; what is due later is nobody's round.
MAX_WAIT_SECONDS: Final = 60.0


class DrandRelays:
    """A source of rounds: asks one relay after another until one has the round."""

    def __init__(
        self,
        relays: Sequence[str],
        *,
        chain: DrandChain = QUICKNET,
        patience: float = PATIENCE_SECONDS,
        seconds: float = SECONDS,
        http: httpx.Client | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Name the relays, in the order in which they are asked.

        Raises:
            InputError: there is none, or one has no address.
        """
        if not relays:
            raise InputError("no relay is named", advice=f"One of them: {PUBLIC_RELAYS[0]}")
        self._relays = [require_address(url) for url in relays]
        self._chain = chain
        self._patience = patience
        self._seconds = seconds
        self._http = httpx.Client() if http is None else http
        self._clock = clock
        self._sleep = sleep

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, number: int, /) -> Round | None:
        """Return a round that verifies, or None if no relay has it in time."""
        due = self._chain.due(number)
        wait = due - self._clock()
        if wait > MAX_WAIT_SECONDS:
            return None
        self._sleep(max(wait, 0.0))
        deadline = max(due, self._clock()) + self._patience
        while True:
            for relay in self._relays:
                one = self._ask(relay, number)
                if one is not None:
                    return one
            if self._clock() + PAUSE_SECONDS > deadline:
                return None
            self._sleep(PAUSE_SECONDS)

    def _ask(self, relay: str, number: int) -> Round | None:
        """Return the round if this relay gives it and it verifies."""
        url = f"{relay}/{self._chain.chain.hex()}/public/{number}"
        try:
            answer = fetch(self._http, "GET", url, seconds=self._seconds)
            if answer.status != httpx.codes.OK:
                return None
            value = json.loads(answer.content)
            one = Round(number=number, signature=bytes.fromhex(value["signature"]))
            self._chain.verify(one)
        except (NoAnswerError, SeedError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return one
