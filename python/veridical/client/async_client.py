"""`AsyncClient`: ask a gateway, and get what was verified or an exception.

Spec: spec/v1/serve.md, section 8. Verification, which may run a program again, is done in threads:
the event loop only carries bytes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote

import httpx

from veridical.client.checking import Answer, Question, Trust
from veridical.client.heads import Follower, Heads, MemoryHeads
from veridical.client.transfer import Deadline, Reply, Transfer, asked_headers
from veridical.client.wire import (
    Progress,
    ProofUnavailableError,
    Unchecked,
    encode_question,
    read_job,
    read_response,
    require_ok,
)
from veridical.errors import InputError, StatementMismatchError
from veridical.receipt import RECEIPT_MAX_BYTES, Receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from veridical.tlog import NoteKey, SignedCheckpoint

__all__ = ["AsyncClient"]

#: Of one wait: to connect, for the next bytes, for a connection of the pool.
_WAIT_SECONDS: Final = 30.0
_CALL_SECONDS: Final = 60.0
#: Of a call that waits for a proof.
_PROOF_SECONDS: Final = 3600.0
_CONNECTIONS: Final = 32
_RETRIES: Final = 2
_FIRST_POLL: Final = 0.05
_LONGEST_POLL: Final = 2.0
_TIERS: Final = ("reexecution", "zk")
#: Parameters that the client sets; a caller's own would make it compare with something else.
_OWN: Final = frozenset({"binary_data_output", "nonce", "receipt", "salt", "tier"})


class AsyncClient:
    """Asks a gateway; every answer was verified under the policy of `trust`. A context manager."""

    def __init__(  # noqa: PLR0913 - one keyword for each choice
        self,
        url: str,
        trust: Trust,
        *,
        api_key: str | None = None,
        timeout: float = _CALL_SECONDS,
        proof_timeout: float = _PROOF_SECONDS,
        retries: int = _RETRIES,
        max_connections: int = _CONNECTIONS,
        heads: Heads | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Connect lazily.

        `timeout` bounds a whole call but its verification, and `proof_timeout` one that waits for a
        proof. `heads` remembers checkpoints of logs, in memory unless it is given. `transport`
        replaces the network.

        Raises:
            InputError: `url` is no address of a gateway.
        """
        try:
            parsed = httpx.URL(url)
        except (httpx.InvalidURL, TypeError) as error:
            raise InputError(f"not the address of a gateway: {url!r:.200}") from error
        if parsed.scheme not in {"http", "https"} or not parsed.host:
            raise InputError(f"not the address of a gateway: {url!r:.200}")
        self._trust = trust
        self._timeout = timeout
        self._proof_timeout = proof_timeout
        self._http = httpx.AsyncClient(
            base_url=parsed,
            headers=asked_headers(api_key),
            timeout=min(timeout, _WAIT_SECONDS),
            limits=httpx.Limits(
                max_connections=max_connections, max_keepalive_connections=max_connections
            ),
            transport=transport,
        )
        self._transfer = Transfer(self._http, retries=retries)
        self._follower = Follower(MemoryHeads() if heads is None else heads, self._transfer)

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def infer(
        self,
        model: str,
        inputs: Mapping[str, NDArray[Any]],
        *,
        tier: str = "reexecution",
        salt: bytes | None = None,
        logged: bool = False,
        nonce: str | None = None,
        parameters: Mapping[str, str | int | bool] | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Answer:
        """Ask a model, and return the verified answer.

        `tier="zk"` waits for the proof and has it shown, whatever the policy asks for; `progress`
        is told of each change. `salt` keeps the commitment to the input closed to others. `logged`
        fetches the log proofs too, which a policy with `RequireLogged` needs, and compares the
        log with what was seen of it before. `nonce` is drawn unless it is given: a nonce that is
        used twice lets an older answer to the same question pass. `parameters` are others that the
        gateway takes, such as `deadline_ms`.

        Raises:
            VerificationError: the answer is rejected.
            UndecidedError: something that a check needs was not given.
            GatewayError: there is no answer.
            InputError: an argument cannot be used.
        """
        if tier not in _TIERS:
            raise InputError(f"tier {tier!r:.40}; expected one of {', '.join(_TIERS)}")
        given = dict(parameters or {})
        if _OWN & given.keys():
            raise InputError(f"{min(_OWN & given.keys())!r} is no parameter of the caller's")
        question = Question.ask(model, inputs, salt=salt, nonce=nonce)
        sent = {**given, "nonce": question.nonce, "tier": tier}
        if salt is not None:
            sent["salt"] = salt.hex()
        deadline = Deadline(self._timeout if tier == _TIERS[0] else self._proof_timeout)
        body, headers = await asyncio.to_thread(encode_question, question.inputs, sent)
        reply = await self._transfer.send(
            "POST",
            f"/v2/models/{quote(model, safe='')}/infer",
            deadline,
            content=body,
            headers=headers,
        )
        unchecked = await asyncio.to_thread(
            read_response, reply.status, reply.headers, reply.content
        )
        if tier != _TIERS[0]:
            return await self._proven(question, unchecked, deadline, progress)
        receipt = unchecked.receipt
        if logged:
            receipt = await self._receipt(unchecked.text("receipt_id"), deadline)
        return await self._checked(receipt, question, unchecked.outputs, deadline)

    async def upgrade(
        self,
        answer: Answer,
        *,
        tier: str = "zk",
        progress: Callable[[Progress], None] | None = None,
    ) -> Answer:
        """Ask for a proof of an answer, wait for it, and return the answer with it.

        Raises:
            VerificationError: what came is rejected.
            UndecidedError: something that a check needs was not given.
            ProofUnavailableError: there will be no proof.
            GatewayError: there is no answer.
        """
        if tier not in _TIERS[1:]:
            raise InputError(f"tier {tier!r:.40}; expected one of {', '.join(_TIERS[1:])}")
        deadline = Deadline(self._proof_timeout)
        receipt_id = answer.verified.receipt_id
        path = f"/v1/receipts/{quote(receipt_id, safe=':')}/upgrade?tier={tier}"
        reply = await self._transfer.send("POST", path, deadline)
        job = read_job(reply.status, reply.headers, reply.content)
        await self._wait(job, deadline, progress)
        receipt = await self._receipt(receipt_id, deadline)
        upgraded = await self._checked(
            receipt, answer.question, answer.outputs, deadline, tier=tier
        )
        if upgraded.verified.receipt_id != receipt_id:
            raise StatementMismatchError(
                f"the receipt is {upgraded.verified.receipt_id}, not {receipt_id}",
                where="receipt",
                check="upgrade",
            )
        return upgraded

    async def follow(self, log: NoteKey) -> SignedCheckpoint:
        """Return the newest checkpoint of the gateway's log; it extends what was seen before.

        Raises:
            ConsistencyError: it does not: the log was forked, or rolled back.
            CheckpointError: the log did not sign it.
            GatewayError: the gateway does not show it.
        """
        return await self._follower.newest(log, Deadline(self._timeout))

    async def read(self, path: str) -> Reply:
        """Return what a route says; nothing of it is verified.

        Raises:
            GatewayError: there is no answer.
        """
        return await self._transfer.send("GET", path, Deadline(self._timeout))

    async def _proven(
        self,
        question: Question,
        unchecked: Unchecked,
        deadline: Deadline,
        progress: Callable[[Progress], None] | None,
    ) -> Answer:
        job_id = unchecked.text("job_id")
        if not job_id:
            reason = unchecked.text("upgrade_error") or "the gateway took no job"
            raise ProofUnavailableError(f"there will be no proof: {reason:.500}")
        job = await self._job(job_id, deadline)
        await self._wait(job, deadline, progress)
        receipt = await self._receipt(unchecked.text("receipt_id"), deadline)
        return await self._checked(receipt, question, unchecked.outputs, deadline, tier="zk")

    async def _wait(
        self, job: Progress, deadline: Deadline, progress: Callable[[Progress], None] | None
    ) -> None:
        """Wait until a job has ended well."""
        shown: Progress | None = None
        pause = _FIRST_POLL
        while True:
            if progress is not None and job != shown:
                progress(job)
                pause = _FIRST_POLL
            shown = job
            if job.has_ended:
                break
            await deadline.pause(pause)
            pause = min(1.5 * pause, _LONGEST_POLL)
            job = await self._job(job.job_id, deadline)
        if job.state != "done":
            raise ProofUnavailableError(f"the proof {job.state}: {job.error or 'no reason given'}")

    async def _job(self, job_id: str, deadline: Deadline) -> Progress:
        reply = await self._transfer.send("GET", f"/v1/jobs/{quote(job_id, safe='')}", deadline)
        return read_job(reply.status, reply.headers, reply.content)

    async def _receipt(self, receipt_id: str, deadline: Deadline) -> bytes:
        reply = await self._transfer.send(
            "GET",
            f"/v1/receipts/{quote(receipt_id, safe=':')}",
            deadline,
            max_bytes=RECEIPT_MAX_BYTES,
        )
        require_ok(reply.status, reply.headers, reply.content)
        return reply.content

    async def _checked(
        self,
        receipt: bytes,
        question: Question,
        outputs: Mapping[str, NDArray[Any]],
        deadline: Deadline,
        *,
        tier: str | None = None,
    ) -> Answer:
        answer = await asyncio.to_thread(
            self._trust.check, receipt, question=question, outputs=outputs, tier=tier
        )
        logged = answer.verified.logged
        if logged is not None:
            parsed = await asyncio.to_thread(Receipt.from_bytes, receipt)
            await self._follower.meet(parsed, logged.log, deadline)
        return answer
