"""Proofs on a Ray cluster: the process that stands between the queue and the cluster.

Spec: spec/v1/serve.md, section 6; spec/decisions/0018 says why work is pushed. This process runs
beside the gateway, like any other worker, and is the only one that sees the database: it leases
jobs and renews leases for provers of the cluster. These get programs, by their digest, and
questions with their statements; nothing of the database reaches them. Needs the extra `cluster`.
"""

from __future__ import annotations

import importlib.util
import logging
import threading
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import veridical.program
from veridical.errors import InputError
from veridical.serve.proving import Member, Proven, Task, prove
from veridical.serve.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from veridical.program import Program
    from veridical.serve.worker import Configuration

__all__ = [
    "ProverLostError",
    "RayCluster",
    "RayProver",
    "RemoteProver",
    "require_address",
    "workers_of",
]

_LOG = logging.getLogger("veridical.serve")

_TICK_SECONDS: Final = 0.5
#: How long a prover may take to begin: the cluster may have to make room for it first.
_START_SECONDS: Final = 120.0
_ANSWER_SECONDS: Final = 10.0


class ProverLostError(Exception):
    """A prover of the cluster died, or cannot be reached; its work is done elsewhere."""


def require_address(address: str) -> None:
    """Refuse what is no address of a cluster, and a package that is not there.

    Raises:
        InputError: the address has another form, or the extra `cluster` is not installed.
    """
    if address != "auto" and not address.startswith("ray://") and ":" not in address:
        raise InputError(
            f"not the address of a cluster: {address[:80]!r}",
            advice="Give auto, ray://HOST:10001, or HOST:6379.",
        )
    if importlib.util.find_spec("ray") is None:
        raise InputError(
            "Ray is not installed", advice="Install it: pip install 'veridical[serve,cluster]'."
        )


class RemoteProver:
    """What runs in the cluster: one at a time proves, and says meanwhile how far it is."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._programs: dict[str, Program] = {}
        self._stage = ""
        #: The task that somebody waits for: the one before may not have noticed that it ended.
        self._wanted: Task | None = None

    def hello(self) -> str:
        """Return the version of this package where the prover runs."""
        return _version()

    def load(self, digest: str, content: bytes) -> None:
        """Take a program, whatever it is called; it is used under its own digest alone.

        Raises:
            InputError: it is another one than was named.
        """
        program = veridical.program.Program.from_bytes(content)
        if program.digest_hex != digest:
            raise InputError(f"this is program {program.digest_hex}", where=digest)
        self._programs[digest] = program

    def prove(
        self, model: str, digest: str, profile: str, members: list[tuple[bytes, bytes]]
    ) -> tuple[bytes, int]:
        """Prove a task; return the evidence, and how many microseconds it took."""
        task = self._wanted = Task(
            model=model,
            digest=digest,
            profile=profile,
            members=tuple(Member(question=one, statement=other) for one, other in members),
        )

        def progress(stage: str) -> None:
            if self._wanted is not task:
                raise InputError("nobody waits for this proof")
            self._stage = stage

        proven = prove(self._programs[digest], task, threads=self._threads, progress=progress)
        return proven.evidence, proven.microseconds

    def stage(self) -> str:
        """Return the stage of the proof that is made."""
        return self._stage

    def stop(self) -> None:
        """End the proof that is made, at its next stage."""
        self._wanted = None


@dataclass(slots=True)
class _Actor:
    """A prover that runs, and the programs that it holds."""

    handle: Any
    loaded: set[str]


class RayCluster:
    """A connection to a cluster, and the programs that were put into it."""

    def __init__(self, address: str, models: Mapping[str, str], *, threads: int) -> None:
        """Connect.

        Raises:
            InputError: there is no such cluster.
        """
        require_address(address)
        import ray

        self.ray: Any = ray
        self.threads = max(threads, 1)
        self._paths = models
        self._lock = threading.Lock()
        self._contents: dict[str, Any] = {}
        try:
            ray.init(
                address=address, namespace="veridical", log_to_driver=False, logging_level="warning"
            )
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise InputError(f"no cluster at {address}: {error}") from error
        self.actor_class: Any = ray.remote(
            num_cpus=self.threads,
            # A second thread answers how far the first one is.
            max_concurrency=2,
            # One that died is made anew here, where its work is given back first.
            max_restarts=0,
            max_task_retries=0,
        )(RemoteProver)

    def content(self, model: str) -> Any:  # noqa: ANN401 - a reference of Ray
        """Return the program of a model as it lies in the cluster, put there once."""
        with self._lock:
            if model not in self._contents:
                self._contents[model] = self.ray.put(Path(self._paths[model]).read_bytes())
            return self._contents[model]

    def close(self) -> None:
        """Leave the cluster; its provers end."""
        self.ray.shutdown()


class RayProver:
    """One prover of a cluster, seen from here; one that died is replaced by the next task."""

    def __init__(self, cluster: RayCluster) -> None:
        self._cluster = cluster
        self._actor: _Actor | None = None

    def prove(self, task: Task, *, progress: Callable[[str], None]) -> Proven:
        """Prove a task in the cluster; see `Prover`.

        Raises:
            ProverLostError: the prover died, or did not begin.
        """
        errors = self._cluster.ray.exceptions
        try:
            actor = self._started()
            if task.digest not in actor.loaded:
                content = self._cluster.content(task.model)
                self._get(actor.handle.load.remote(task.digest, content), _START_SECONDS)
                actor.loaded.add(task.digest)
            members = [(one.question, one.statement) for one in task.members]
            result = actor.handle.prove.remote(task.model, task.digest, task.profile, members)
            self._follow(actor, result, progress)
            evidence, microseconds = self._get(result, _ANSWER_SECONDS)
        except errors.RayTaskError:  # an error of the task itself; the prover lives
            raise
        except (errors.RayError, ConnectionError) as error:
            self.close()
            raise ProverLostError(f"{type(error).__name__}: {error}"[:500]) from error
        return Proven(evidence=evidence, microseconds=microseconds)

    def close(self) -> None:
        """End the prover."""
        actor, self._actor = self._actor, None
        if actor is None:
            return
        try:
            self._cluster.ray.kill(actor.handle)
        except Exception as error:  # noqa: BLE001 - it is gone already, or the cluster is
            _LOG.info("a prover cannot be ended: %s", error)

    def _follow(self, actor: _Actor, result: Any, progress: Callable[[str], None]) -> None:  # noqa: ANN401 - a reference of Ray
        """Wait for a result, and pass on how far it is; what `progress` raises ends the work."""
        while True:
            done, _ = self._cluster.ray.wait([result], timeout=_TICK_SECONDS)
            if done:
                return
            try:
                progress(self._get(actor.handle.stage.remote(), _ANSWER_SECONDS))
            except Exception:
                actor.handle.stop.remote()
                raise

    def _started(self) -> _Actor:
        if self._actor is None:
            handle = self._cluster.actor_class.remote(self._cluster.threads)
            self._actor = _Actor(handle=handle, loaded=set())
            there = self._get(handle.hello.remote(), _START_SECONDS)
            if there != _version():
                self.close()
                raise ProverLostError(f"the cluster has version {there}, the gateway {_version()}")
        return self._actor

    def _get(self, reference: Any, seconds: float) -> Any:  # noqa: ANN401 - of Ray
        return self._cluster.ray.get(reference, timeout=seconds)


def workers_of(configuration: Configuration) -> list[Worker]:
    """Return a worker for each prover of the cluster; they differ in where they have proofs made.

    Raises:
        InputError: there is no such cluster.
    """
    cluster = RayCluster(configuration.cluster, configuration.models, threads=configuration.threads)
    return [Worker(configuration, prover=RayProver(cluster)) for _ in range(configuration.workers)]


def _version() -> str:
    return metadata.version("veridical")
