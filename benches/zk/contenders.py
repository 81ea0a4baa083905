"""Who is measured, and how each is started."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import veridical
from benches.zk import adapter
from benches.zk.environments import DSPERSE, EZKL, Environment
from benches.zk.stages import PHASES
from veridical import _core, builds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benches.zk.cases import Kind
    from benches.zk.stages import Phase

HERE = Path(__file__).resolve().parent
# Configurations of DSperse with a polynomial commitment; raw ones put all values into the proof. It
# has the first two over larger extension fields too, which are slower.
SUCCINCT = ("goldilocks_whir", "goldilocks_basefold")
RAW = ("goldilocks_raw", "bn254_raw")
DSPERSE_CONFIGS = (*SUCCINCT, *RAW)
# The reference string of 2^20 takes four minutes to make and every further bit twice as long.
MAX_LOGROWS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One prover in one configuration."""

    kind: Kind
    config: str
    phases: tuple[Phase, ...]
    environment: Environment | None
    options: dict[str, Any]

    @property
    def name(self) -> str:
        """Name in tables."""
        return f"{self.kind} {self.config}".strip()

    @property
    def version(self) -> str:
        """Release that is measured, and which build of ours."""
        if self.environment is None:
            return f"{_core.__version__}, build {builds.BUILD}"
        return self.environment.version

    @property
    def driver(self) -> str:
        """Module that drives it."""
        return f"benches.zk.drive_{self.kind}"

    def identity(self) -> str:
        """Digest of what is measured and of the code that measures it.

        Figures are taken over from an interrupted run only while this stays the same.
        """
        digest = hashlib.sha256()
        files = [HERE / "stages.py", HERE / f"drive_{self.kind}.py"]
        if self.environment is None:
            package = Path(veridical.__file__).parent
            files += [HERE / "adapter.py", *package.glob("**/_core*.so")]
            files += [*package.glob("zk/**/*.py"), *package.glob("compiler/**/*.py")]
        else:
            files.append(self.environment.lock)
        for path in sorted(files):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def python(self) -> Path:
        """Return the interpreter that runs the driver.

        Raises:
            UnavailableError: it cannot be measured here.
        """
        if self.environment is not None:
            return self.environment.python()
        adapter.require()
        return Path(sys.executable)


def contenders(kinds: Iterable[Kind], configs: Sequence[str]) -> list[Contender]:
    """Return the contenders of these kinds; ours is always the first."""
    found: list[Contender] = []
    for kind in kinds:
        if kind == "veridical":
            found.append(
                Contender(kind=kind, config="", phases=PHASES, environment=None, options={})
            )
        elif kind == "ezkl":
            options = {"max_logrows": MAX_LOGROWS}
            found.append(
                Contender(kind=kind, config="", phases=PHASES, environment=EZKL, options=options)
            )
        else:
            found += [
                Contender(
                    kind=kind,
                    config=config,
                    phases=("compile", "prove", "verify"),  # it has no keys
                    environment=DSPERSE,
                    options={"config": config},
                )
                for config in configs
            ]
    return found
