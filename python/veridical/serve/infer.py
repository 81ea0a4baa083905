"""Inference over HTTP: the one route that is asked thousands of times.

It stands outside the router, takes headers as bytes and looks nothing up twice: what the edge takes
of a processor is time that receipts do not get.

Spec: spec/v1/serve.md, sections 3 and 4.
"""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from veridical.inference_protocol import (
    HEADER_LENGTH,
    ProtocolError,
    encode_response,
    json_bytes,
    parse_request,
)
from veridical.serve.exchange import CONNECTION
from veridical.serve.options import read_options
from veridical.serve.tariff import TIERS

if TYPE_CHECKING:
    from veridical.inference_protocol import InferRequest, Shapes
    from veridical.serve.exchange import Exchange, Limits
    from veridical.serve.gateway import Gateway
    from veridical.serve.lanes import Answer
    from veridical.serve.models import Model
    from veridical.serve.options import Options
    from veridical.serve.storage import ApiKey

__all__ = ["Inference"]

_HEADER_LENGTH: Final = HEADER_LENGTH.lower().encode("ascii")
_OCTETS: Final = b"application/octet-stream"
#: More JSON than this is read, and larger outputs are written, beside the event loop, one at a
#: time: that bounds both how long others wait and the memory that Python's objects take.
_INLINE_BYTES: Final = 64 * 1024
#: What a byte of JSON may take besides itself while a request is read.
_JSON_WEIGHT: Final = 8
#: What a byte of outputs may take: as it is, as text, and in the buffer of a connection.
_OUTPUT_WEIGHT: Final = 4


class Inference:
    """Answers requests for inference."""

    def __init__(self, gateway: Gateway, limits: Limits) -> None:
        """Know the models and what their inputs look like."""
        self._gateway = gateway
        self._limits = limits
        self._max_items = gateway.settings.max_items
        self._shapes: dict[str, Shapes] = {
            name: {one.name: one.shape for one in model.program.inputs}
            for name, model in gateway.models.items()
        }
        self._output_bytes = {
            name: sum(8 * math.prod(one.shape) for one in model.program.outputs)
            for name, model in gateway.models.items()
        }
        self._coder = ThreadPoolExecutor(1, thread_name_prefix="codec")

    def close(self) -> None:
        """Give the thread back."""
        self._coder.shutdown(wait=False, cancel_futures=True)

    async def answer(self, exchange: Exchange, model: Model, caller: ApiKey) -> None:
        """Read a request for a model, run it, and send the answer.

        Raises:
            ProtocolError: it is refused.
        """
        gateway, limits = self._gateway, self._limits
        budget, key_id = gateway.budget, caller.key_id
        held = 0

        def take(size: int) -> None:
            nonlocal held
            budget.take(key_id, size)
            held += size

        try:
            declared = exchange.declared_bytes(limits.body_bytes)
            if declared:
                take(declared)
            body = await exchange.body(limits, take)
            header_length = exchange.text(_HEADER_LENGTH)
            size = json_bytes(body, header_length)
            if size > _INLINE_BYTES:
                take(_JSON_WEIGHT * size)
            parse = partial(
                parse_request,
                body,
                header_length,
                shapes=self._shapes[model.name],
                max_items=self._max_items,
            )
            request = await self._beside(parse) if size > _INLINE_BYTES else parse()
            size = self._output_bytes[model.name] * request.items
            if size > _INLINE_BYTES:
                take(_OUTPUT_WEIGHT * size)
            options = read_options(
                request.parameters,
                exchange.options(),
                request_id=request.id,
                deadline_ms=gateway.settings.deadline_ms,
            )
            answer, quoted = await self._run(exchange, model, request, options, caller)
            await self._send(exchange, model, request, options, answer, quoted, caller)
        finally:
            if held:
                budget.give(key_id, held)

    async def _run(
        self,
        exchange: Exchange,
        model: Model,
        request: InferRequest,
        options: Options,
        caller: ApiKey,
    ) -> tuple[Answer, int]:
        """Run a model within what its caller has left; whoever hangs up is not run for."""
        gateway, accounts = self._gateway, self._gateway.accounts
        expected = gateway.tariff.quote(model, TIERS[0], request.items)
        if not accounts.is_open:
            accounts.spend(caller, expected)
        connection = exchange.scope.get(CONNECTION)
        if connection is not None:
            connection.waiting = asyncio.current_task()
        cost = 0
        try:
            answer, quoted = await gateway.answer(
                model, request, options, caller, request_id=exchange.request_id.decode("ascii")
            )
            cost = answer.cost
        except ProtocolError as error:
            if error.error == "bad_inputs":  # it began to run
                cost = expected
            raise
        finally:
            if connection is not None:
                connection.waiting = None
            if not accounts.is_open:
                accounts.settle(caller, quoted=expected, cost=cost)
        return answer, quoted

    async def _send(
        self,
        exchange: Exchange,
        model: Model,
        request: InferRequest,
        options: Options,
        answer: Answer,
        quoted: int,
        caller: ApiKey,
    ) -> None:
        receipt_id = answer.receipt_id
        parameters: dict[str, Any] = {
            "receipt_id": receipt_id,
            "tier": self._gateway.tier,
            "quoted": quoted,
            "cost": answer.cost,
        }
        headers = [
            (b"veridical-receipt", receipt_id.encode("ascii")),
            (b"veridical-tier", self._gateway.tier.encode("ascii")),
        ]
        if options.tier != TIERS[0]:
            job_id = await self._upgrade(receipt_id, options, caller, parameters)
            if job_id:
                headers.append((b"veridical-job", job_id.encode("ascii")))
        if options.has_receipt:
            parameters["receipt"] = answer.bundle.decode("ascii")
        encode = partial(
            encode_response,
            model=model.name,
            version="1",
            request=request,
            outputs=answer.outputs,
            parameters=parameters,
        )
        size = sum(array.nbytes for array in answer.outputs.values())
        content, head = await self._beside(encode) if size > _INLINE_BYTES else encode()
        if head is None:
            await exchange.respond(200, content, headers=headers)
            return
        headers.append((_HEADER_LENGTH, b"%d" % head))
        await exchange.respond(200, content, media=_OCTETS, headers=headers)

    async def _upgrade(
        self, receipt_id: str, options: Options, caller: ApiKey, parameters: dict[str, Any]
    ) -> str:
        """Ask for the proof that the caller wants; return the job, if there is one."""
        upgrade = partial(
            self._gateway.upgrade, receipt_id, caller, tier=options.tier, share=options.share
        )
        try:
            job = await run_in_threadpool(upgrade)
        except ProtocolError as error:  # the answer exists and is charged: hand it over
            parameters["upgrade_error"] = error.message
            return ""
        except SQLAlchemyError:
            parameters["upgrade_error"] = "the proof cannot be asked for now; ask again later"
            return ""
        parameters["job_id"] = job.job_id
        return job.job_id

    async def _beside(self, work: Any) -> Any:  # noqa: ANN401 - returns what `work` returns
        return await asyncio.get_running_loop().run_in_executor(self._coder, work)
