"""The parts of a gateway, and their order at start and stop.

Spec: spec/v1/serve.md.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import SQLAlchemyError

from veridical import keys, zk
from veridical.errors import InputError
from veridical.inference_protocol import InferRequest, ProtocolError
from veridical.seeds import SeedKey
from veridical.serve.accounts import Accounts
from veridical.serve.budget import ByteBudget
from veridical.serve.checker import Checker
from veridical.serve.fairness import FairQueue
from veridical.serve.hardware import EPOCH_SECONDS, AttestedKey, Hardware, attester_of
from veridical.serve.intents import IntentLog, NoLog, TransparencyLog
from veridical.serve.issuer import Issuer
from veridical.serve.lanes import Answer, Lane, Question
from veridical.serve.metrics import Metrics
from veridical.serve.models import Model, load_models
from veridical.serve.proofs import Finisher
from veridical.serve.state import StateFolder, database_url
from veridical.serve.storage import ApiKey, FencedError, Job, Queue, Store
from veridical.serve.storage.queue import TooManyJobsError
from veridical.serve.supervisor import Supervisor
from veridical.serve.tariff import TIERS, Tariff
from veridical.serve.worker import Configuration, absolute, worker_command

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from veridical.receipt import Receipt
    from veridical.serve.options import Options
    from veridical.serve.storage import StoredReceipt

__all__ = ["Gateway", "Settings"]

_RECEIPT_ID: Final = re.compile(r"sha256:[0-9a-f]{64}")
_JOB_ID: Final = re.compile(r"[0-9a-f]{32}")
_TIDY_SECONDS: Final = 1.0
_LOGGER: Final = logging.getLogger("veridical.serve")
#: What one caller may take of what there is for all, where callers have keys.
_SHARE: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a gateway is run."""

    models: tuple[Path, ...]
    #: Keys, log, and database unless another one is named.
    state: Path
    database: str = ""
    key: Path | None = None
    #: Makes the seed of each receipt; nothing states seeds of mode `none`.
    seed_key: Path | None = None
    origin: str = ""
    is_logged: bool = True
    is_open: bool = True
    workers: int = 1
    #: Of each worker; 0 takes all processors, and one in a cluster.
    worker_threads: int = 0
    #: Address of the cluster whose machines make proofs; nothing for this machine.
    cluster: str = ""
    proof_batch: int = 64
    proof_profile: str = "standard"
    max_body_bytes: int = 16 * 1024 * 1024
    max_items: int = 4096
    max_waiting: int = 1024
    #: Of all requests that are read, wait or run.
    max_bytes_waiting: int = 256 * 1024 * 1024
    deadline_ms: int = 30_000
    threads: int = 0
    names: Mapping[Path, str] = field(default_factory=dict)
    #: Where quotes over the receipt key come from; `off` for a key in the state folder.
    tee: Hardware = "off"
    tee_epoch_seconds: int = EPOCH_SECONDS

    @property
    def database_url(self) -> str:
        """Return the URL of the database."""
        return self.database or database_url(self.state)


class Gateway:
    """Models, log, database and queue, from requests to receipts."""

    def __init__(self, settings: Settings) -> None:
        """Open everything, and close what a crash left open.

        Raises:
            InputError: a model, a key, the log or the database cannot be used.
        """
        self.settings = settings
        self.metrics = Metrics()
        self.tariff = Tariff()
        self.models: dict[str, Model] = load_models(settings.models, settings.names)
        self._state = StateFolder(settings.state)
        with ExitStack() as undo:
            undo.callback(self._state.close)
            self._open(undo)
            undo.pop_all()

    def _open(self, undo: ExitStack) -> None:
        settings = self.settings
        self.signer = self._receipt_key()
        seed_key = SeedKey.load(settings.seed_key) if settings.seed_key else None
        self._issuers = {
            name: Issuer(model, self.signer, seed_key=seed_key)
            for name, model in self.models.items()
        }
        share = 1 if settings.is_open else _SHARE
        self.budget = ByteBudget(
            total=settings.max_bytes_waiting, per_key=settings.max_bytes_waiting // share
        )
        self.store = Store(settings.database_url)
        undo.callback(self.store.close)
        self.queue = Queue(self.store)
        self.accounts = Accounts(self.store, is_open=settings.is_open)
        self.log: IntentLog = self._open_log()
        undo.callback(self.log.close)
        try:
            if self.log.vkey():
                self.store.hold_log(self.log.vkey(), size=self.log.size())
            self.recovered = self.log.recover(self.store.settle)
        except SQLAlchemyError as error:
            raise InputError(f"the database does not answer: {type(error).__name__}") from error
        self.attested: AttestedKey | None = self._attest()
        self._lanes = {
            model.name: Lane(
                model,
                issuer=self._issuers[model.name],
                log=self.log,
                store=self.store,
                tariff=self.tariff,
                metrics=self.metrics,
                waiting=FairQueue(
                    capacity=settings.max_waiting, per_key=max(settings.max_waiting // share, 1)
                ),
                threads=settings.threads,
            )
            for model in self.models.values()
        }
        paths = absolute({name: model.path.absolute() for name, model in self.models.items()})
        configuration = Configuration(
            database=settings.database_url,
            models=paths,
            batch=settings.proof_batch,
            profile=settings.proof_profile,
            workers=settings.workers,
            threads=settings.worker_threads,
            cluster=settings.cluster,
        )
        # One process leases jobs for all provers of a cluster.
        count = min(settings.workers, 1) if settings.cluster else settings.workers
        self._workers = Supervisor(worker_command(), configuration.to_line(), count=count)
        self._finisher = Finisher(
            store=self.store,
            queue=self.queue,
            signer=self.signer,
            checker=Checker(paths),
            tariff=self.tariff,
            on_signed=self._on_signed,
        )
        self._is_closed = threading.Event()
        self._upkeep = threading.Thread(target=self._tidy, name="upkeep", daemon=True)

    def start(self) -> None:
        """Start the workers."""
        self.queue.resume()
        self._workers.start()
        self._finisher.start()
        self._upkeep.start()

    def close(self) -> None:
        """Answer what was accepted, then give everything up."""
        if self._is_closed.is_set():
            return
        self._is_closed.set()
        for lane in self._lanes.values():
            lane.close()
        self._workers.close()
        self._finisher.close()
        if self._upkeep.is_alive():
            self._upkeep.join()
        self.log.close()
        self.store.close()
        self._state.close()

    @property
    def tier(self) -> str:
        """The tier of receipts as they are handed out first."""
        return TIERS[0] if self.attested is None else "tee"

    @property
    def is_closed(self) -> bool:
        """Whether the gateway is shutting down."""
        return self._is_closed.is_set()

    def problem(self) -> str:
        """Return why the gateway is not ready; nothing if it is."""
        if self._is_closed.is_set():
            return "shutting down"
        try:
            self.store.require_reachable()
        except SQLAlchemyError as error:
            return f"the database does not answer: {type(error).__name__}"
        except FencedError as error:
            return str(error)
        if self.attested is not None and self.attested.is_over:
            return "no quote covers the receipt key now"
        return self.log.problem()

    def _tidy(self) -> None:
        while not self._is_closed.wait(_TIDY_SECONDS):
            try:
                self.store.tidy()
            except SQLAlchemyError as error:
                _LOGGER.warning("the database was not tidied: %s", error)
            if self.attested is not None and self.attested.renew():
                self._vouch(self.attested)

    def model(self, name: str, version: str | None = None) -> Model:
        """Return a model.

        Raises:
            ProtocolError: there is none of this name and version.
        """
        model = self.models.get(name)
        if model is None:
            raise ProtocolError(404, "unknown_model", f"no model {name[:128]!r}")
        if version not in (None, "1"):
            raise ProtocolError(404, "unknown_version", f"model {name!r} has version '1' only")
        return model

    async def answer(
        self,
        model: Model,
        request: InferRequest,
        options: Options,
        caller: ApiKey,
        *,
        request_id: str = "",
    ) -> tuple[Answer, int]:
        """Run a model, and return what may be handed out, with its quote.

        `request_id` names the request in messages.

        Raises:
            ProtocolError: the request was refused, or its deadline passed.
        """
        items = model.require_fits(request)
        if items > self.settings.max_items:
            raise ProtocolError(
                413, "too_many_items", f"{items} items; at most {self.settings.max_items}"
            )
        if self.attested is not None and self.attested.is_over:
            raise ProtocolError(503, "unavailable", "no quote covers the receipt key now")
        quoted = self.tariff.quote(model, "reexecution", items)
        question = Question(
            key_id=caller.key_id,
            inputs=request.inputs,
            items=items,
            nonce=options.nonce,
            salt=options.salt,
            quoted=quoted,
            deadline=time.monotonic() + options.deadline_ms / 1000,
            answer=asyncio.get_running_loop().create_future(),
            request_id=request_id,
        )
        self._lanes[model.name].put(question)
        return await question.answer, quoted

    def upgrade(
        self,
        receipt_id: str,
        caller: ApiKey,
        *,
        tier: str,
        deadline: int = 0,
        share: bool = False,
    ) -> Job:
        """Ask for a proof of a receipt.

        `share` lets receipts of others be proven with it, where the caller's key allows that. One
        with a closed input is else proven alone: receipts that are proven together show theirs.

        Raises:
            ProtocolError: no such receipt or tier, or the caller has too many waiting.
        """
        if tier != "zk":
            raise ProtocolError(400, "bad_option", f"no receipt is upgraded to tier {tier[:64]!r}")
        stored = self._stored(receipt_id, caller)
        model = self.models.get(stored.model)
        if model is None or model.program.digest_hex != stored.receipt.statement.model.digest:
            raise ProtocolError(409, "model_gone", "its model is no longer served")
        is_shared = share and caller.may_share
        try:
            quoted = self.tariff.quote(model, tier, stored.items)
            zk.require_memory(model.program, batch=stored.items)
            return self.queue.add(
                receipt_id,
                key_id=caller.key_id,
                tier=tier,
                quoted=quoted,
                limit=caller.max_queued_proofs,
                deadline=deadline,
                share=is_shared,
                alone=not is_shared and stored.receipt.statement.input.received.is_salted,
            )
        except TooManyJobsError as error:
            raise ProtocolError(429, "too_many_proofs", str(error), retry_after=5) from error
        except InputError as error:
            raise ProtocolError(422, "cannot_prove", str(error)) from error

    def job(self, job_id: str, caller: ApiKey) -> Job:
        """Return a job of this caller.

        Raises:
            ProtocolError: there is none.
        """
        job = self.queue.get(job_id) if _JOB_ID.fullmatch(job_id) else None
        if job is None or job.key_id != caller.key_id:
            raise ProtocolError(404, "unknown_job", "no such job")
        return job

    def receipt(self, receipt_id: str, caller: ApiKey) -> Receipt:
        """Return a receipt as it stands, with its log proofs.

        Raises:
            ProtocolError: there is none of this caller.
        """
        stored = self._stored(receipt_id, caller)
        if stored.log != self.log.vkey():  # of another log, or of none
            return stored.receipt
        try:
            return self.log.attach(stored.receipt)
        except InputError as error:  # between the database and the log: not handed out yet
            raise ProtocolError(404, "unknown_receipt", "no such receipt") from error

    def _stored(self, receipt_id: str, caller: ApiKey) -> StoredReceipt:
        """Return a receipt of this caller; a text that is no name of one never meets the database.

        Raises:
            ProtocolError: there is none.
        """
        stored = None
        if _RECEIPT_ID.fullmatch(receipt_id) is not None:
            stored = self.store.receipt(receipt_id, key_id=caller.key_id)
        if stored is None:
            raise ProtocolError(404, "unknown_receipt", "no such receipt")
        return stored

    def _on_signed(self, model: str, tier: str, count: int) -> None:
        self.metrics.receipts.labels(model=model, tier=tier).inc(count)

    def metadata(self) -> dict[str, Any]:
        """Return what a caller has to know to verify, beside the models."""
        return {
            "signer": self.signer.public_key.key_id,
            "signer_pem": self.signer.public_key.to_pem().decode("ascii"),
            "log": self.log.vkey(),
            "tee": "" if self.attested is None else self.attested.description,
        }

    def _receipt_key(self) -> keys.PrivateKey:
        """Load the key, or make it; one that hardware vouches for never leaves this process."""
        settings = self.settings
        if settings.tee == "off":
            return (
                keys.PrivateKey.load(settings.key) if settings.key else self._state.key("receipts")
            )
        if settings.key is not None:
            raise InputError("an attested key is made inside, and not read from a file")
        if not settings.is_logged:
            raise InputError("a quote over the key names a checkpoint, so there has to be a log")
        return keys.generate()

    def _attest(self) -> AttestedKey | None:
        if self.settings.tee == "off" or not isinstance(self.log, TransparencyLog):
            return None
        log = self.log.log
        attested = AttestedKey(
            attester_of(self.settings.tee),
            self.signer,
            checkpoint=lambda: str(log.head().note.text),
            epoch_seconds=self.settings.tee_epoch_seconds,
        )
        self._vouch(attested)
        return attested

    def _vouch(self, attested: AttestedKey) -> None:
        evidence = attested.blob
        for issuer in self._issuers.values():
            issuer.attest(evidence)

    def _open_log(self) -> IntentLog:
        if not self.settings.is_logged:
            return NoLog()
        signer = self._state.key("log")
        origin = self.settings.origin or f"veridical.local/{signer.public_key.key_id[:16]}"
        return TransparencyLog(self._state.log(signer, origin=origin), signer)
