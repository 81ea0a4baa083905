"""The one writer of a log: sequences entries in batches, and recovers after a crash.

Spec: spec/v1/log.md, section 5. A batch is on the disk, in the journal, before anybody sees its
checkpoint. Everything else can be made again from journals, tiles and entries, so nothing else has
to wait for the disk.
"""

from __future__ import annotations

import contextlib
import copy
import queue
import sqlite3
import threading
import time
from collections import deque
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from veridical.errors import Error, InputError, LogError
from veridical.tlog.checkpoint import Checkpoint, SignedCheckpoint
from veridical.tlog.entry import (
    Intent,
    IntentDraft,
    Result,
    Void,
    entry_from_bytes,
    require_origin,
    require_valid,
)
from veridical.tlog.frontier import Frontier
from veridical.tlog.fsck import require_of_tree
from veridical.tlog.index import Index, checkpoint_index
from veridical.tlog.log import CHECKPOINT, COSIGNED, INDEX, Log, write_settings
from veridical.tlog.note import NoteKey
from veridical.tlog.storage import (
    STATE,
    Batch,
    Files,
    Journal,
    Lock,
    NothingWrittenError,
    journals,
    replace_file,
    sync_folder,
)
from veridical.tlog.tiles import TileReader
from veridical.tlog.tree import EMPTY_ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from veridical.keys import Signer
    from veridical.tlog.entry import Entry

__all__ = ["Appended", "Request", "Writer"]

#: How long a batch waits for more entries after its first.
BATCH_SECONDS: Final = 0.005
#: Keeps a record of the journal within a few megabytes.
MAX_BATCH: Final = 4096
#: When files are synced and the journal starts anew: recovery replays at most about twice this.
JOURNAL_BYTES: Final = 8 * 1024 * 1024
_TIDY_SECONDS: Final = 1.0
_REST_SECONDS: Final = 0.005

#: What can be appended: drafts are numbered by the log, closings say what they close.
Request: TypeAlias = "IntentDraft | Intent | Result | Void"


@dataclass(frozen=True, slots=True)
class Appended:
    """Where an entry stands, and a checkpoint that covers it."""

    index: int
    entry: Entry
    checkpoint: SignedCheckpoint


@dataclass(frozen=True, slots=True)
class _Group:
    """Entries that were handed over together: their outcomes come together."""

    requests: list[Request]
    outcomes: Future[list[Appended | InputError]]


class Writer:
    """Appends to a log; a context manager. Its methods may be called from any thread."""

    def __init__(
        self,
        folder: str | Path,
        signer: Signer,
        *,
        batch_seconds: float = BATCH_SECONDS,
        journal_bytes: int = JOURNAL_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open a log to append, and bring it to the state of its last whole batch.

        Raises:
            InputError: it is no log, another process writes to it, or the key is another one.
            LogError: its files contradict each other.
        """
        self.log = Log.open(folder)
        if self.log.key != NoteKey.of(self.log.key.name, signer.public_key, role="log"):
            raise InputError("the signer does not hold this log's key", where=str(folder))
        self._signer = signer
        self._clock = clock
        self._batch_seconds = batch_seconds
        self._journal_bytes = journal_bytes
        self._state = self.log.folder / STATE
        self._lock = Lock(self._state / "lock")
        try:
            self._files = Files(self.log.folder)
            self._unsynced: set[str] = set()
            #: Partial tiles that are full by now.
            self._stale: deque[str] = deque()
            self._ended = threading.Event()
            #: A journal that is ready to take over.
            self._next: Journal | None = None
            self._settling: threading.Thread | None = None
            self._index = self._open_index()
        except BaseException:
            self._lock.release()
            raise
        try:
            self._frontier = self._recover()
            self._catch_up()
            self._journal = Journal(self._state / f"journal-{self._frontier.size}")
        except BaseException:
            self._index.close()
            self._lock.release()
            raise
        self._failure: BaseException | None = None
        self._queue: queue.SimpleQueue[_Group | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._is_closed = False
        self._thread = threading.Thread(target=self._sequence, name="log-writer", daemon=True)
        self._thread.start()
        self._keeper = threading.Thread(target=self._tidy, name="log-keeper", daemon=True)
        self._keeper.start()

    @classmethod
    def create(cls, folder: str | Path, *, origin: str, signer: Signer) -> Log:
        """Make a new, empty log.

        Raises:
            InputError: the folder holds something, or the origin or the key cannot be used.
        """
        folder = Path(folder)
        key = NoteKey.of(origin, signer.public_key, role="log")
        require_origin(origin)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise InputError("the folder is not empty", where=str(folder))
            (folder / STATE).mkdir()
            empty = Checkpoint(origin=origin, size=0, root=EMPTY_ROOT)
            signed = SignedCheckpoint.sign(empty, key, signer)
            replace_file(folder / CHECKPOINT, signed.to_bytes())
            write_settings(folder, key)  # last: a folder with settings is a log
        except OSError as error:
            raise InputError(f"cannot make a log: {error.strerror}", where=str(folder)) from error
        return Log.open(folder)

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the log."""
        self.close()

    def submit(self, requests: Iterable[Request]) -> list[Future[Appended]]:
        """Hand entries over, to be sequenced in this order; each future ends on its own.

        A request that breaks a rule of the log ends in `InputError`, and the others go on.
        """
        group = self._hand_over(requests)
        futures: list[Future[Appended]] = [Future() for _ in group.requests]
        for future in futures:  # what is handed over is logged, whether or not anybody waits
            future.set_running_or_notify_cancel()

        def tell(done: Future[list[Appended | InputError]]) -> None:
            failure = done.exception()
            for place, future in enumerate(futures):
                outcome = failure or done.result()[place]
                if isinstance(outcome, Appended):
                    future.set_result(outcome)
                else:
                    future.set_exception(outcome)

        group.outcomes.add_done_callback(tell)
        return futures

    def append_all(self, requests: Iterable[Request]) -> list[Appended | InputError]:
        """Append entries, and return once a checkpoint that covers all of them is on the disk.

        One that breaks a rule of the log has its error in its place.

        Raises:
            LogError: the batch could not be written.
        """
        return self._hand_over(requests).outcomes.result()

    def _hand_over(self, requests: Iterable[Request]) -> _Group:
        group = _Group(list(requests), Future())
        group.outcomes.set_running_or_notify_cancel()
        with self._closing:
            if self._is_closed:
                raise InputError("the log was closed", where=str(self.log.folder))
            self._queue.put(group)
        return group

    def append(self, request: Request) -> Appended:
        """Append one entry, and return once a checkpoint that covers it is on the disk.

        Raises:
            InputError: the entry breaks a rule of the log.
            LogError: the batch could not be written; open the log again.
        """
        return self.submit([request])[0].result()

    def problem(self) -> str:
        """Return why nothing can be appended until the log is opened again; nothing if it can."""
        return "" if self._failure is None else f"the log cannot be written: {self._failure}"

    def void_open(self, reason: str) -> list[Appended]:
        """Close every open intent with a void, as after a crash of whoever would have run it."""
        with closing(self.log.index()) as index:
            leaves = index.open_intents()
        now = int(self._clock())
        voids = [Void(intent=leaf, reason=reason, time=now) for leaf in leaves]
        return [future.result() for future in self.submit(voids)]

    def close(self) -> None:
        """Sequence what was handed over, sync everything, and give the log up."""
        with self._closing:
            if self._is_closed:
                return
            self._is_closed = True
            self._queue.put(None)
        self._thread.join()
        self._ended.set()
        self._keeper.join()
        if self._settling is not None:
            self._settling.join()
        self._journal.close()
        if self._next is not None:
            self._next.close()
        if self._failure is None:
            self._settle(self._unsynced, journals(self._state))
        self._index.close()
        self._lock.release()

    def _sequence(self) -> None:
        """Take batches from the queue until it ends."""
        is_open = True
        while is_open:
            group = self._queue.get()
            if group is None:
                return
            batch, size = [group], len(group.requests)
            deadline = time.monotonic() + self._batch_seconds
            while size < MAX_BATCH:
                try:
                    more = self._queue.get(timeout=max(deadline - time.monotonic(), 0))
                except queue.Empty:
                    break
                if more is None:
                    is_open = False
                    break
                batch.append(more)
                size += len(more.requests)
            self._try_commit(batch)

    def _try_commit(self, batch: list[_Group]) -> None:
        """Commit groups, in records of at most `MAX_BATCH` entries, and tell their owners."""
        requests = [request for group in batch for request in group.requests]
        outcomes: list[Appended | InputError] = []
        failure: LogError | None = None
        try:
            for start in range(0, len(requests), MAX_BATCH):
                if self._failure is not None:
                    raise self._failure  # noqa: TRY301 - one place tells all groups
                outcomes += self._commit(requests[start : start + MAX_BATCH])
                if self._journal.num_bytes >= self._journal_bytes:
                    self._rotate()
        except BaseException as error:  # noqa: BLE001 - each caller gets it, whatever it is
            self._index.rollback()
            if not isinstance(error, NothingWrittenError):
                # Memory and disk may differ now; only opening the log again brings them together.
                self._failure = error
            failure = LogError(f"the batch could not be written: {error}")
            failure.__cause__ = error
        start = 0
        for group in batch:
            end = start + len(group.requests)
            if failure is not None and end > len(outcomes):
                group.outcomes.set_exception(failure)
            else:
                group.outcomes.set_result(outcomes[start:end])
            start = end

    def _commit(self, requests: list[Request]) -> list[Appended | InputError]:
        """Write one record of the journal, and what follows from it."""
        self._index.begin(one.statement for one in requests if isinstance(one, Result))
        old_size = self._frontier.size
        outcomes: list[Entry | InputError] = []
        entries: list[bytes] = []
        for request in requests:
            try:
                entry = self._numbered(request)
                content = require_valid(entry)
                self._index.apply(old_size + len(entries), entry)
            except InputError as error:
                outcomes.append(error)
                continue
            outcomes.append(entry)
            entries.append(content)
        if not entries:
            self._index.rollback()
            return [one for one in outcomes if isinstance(one, InputError)]
        frontier = copy.deepcopy(self._frontier)
        files = frontier.append(entries)
        head = Checkpoint(origin=self.log.key.name, size=frontier.size, root=frontier.root())
        signed = SignedCheckpoint.sign(head, self.log.key, self._signer)
        # 1. From here on the batch survives.
        self._journal.append(Batch(old_size, signed.to_bytes(), tuple(entries)))
        self._frontier = frontier
        # 2 and 3. What readers see: tiles first, so that no checkpoint is ahead of them.
        self._files.put(files)
        self._files.put({CHECKPOINT: signed.to_bytes()})
        self._note_unsynced(files)
        # 4 and 5.
        self._index.commit(frontier.size)
        appended: list[Appended | InputError] = []
        leaf = old_size
        for outcome in outcomes:
            if isinstance(outcome, InputError):
                appended.append(outcome)
            else:
                appended.append(Appended(leaf, outcome, signed))
                leaf += 1
        return appended

    def _numbered(self, request: Request) -> Entry:
        origin = self.log.key.name
        if isinstance(request, IntentDraft):
            number, previous = self._index.next_in(request.stream)
            return request.numbered(number, previous, origin=origin, time=int(self._clock()))
        if isinstance(request, Intent) and request.origin != origin:
            raise InputError(f"an intent of log {request.origin[:80]!r}, not {origin!r}")
        return request

    def _note_unsynced(self, files: Iterable[str]) -> None:
        """Remember what has to be synced; a partial tile is not needed once it is full.

        The journal makes the full one again. The partial tile from which it does so is older than
        the journal, and stays until the full one is synced.
        """
        for path in files:
            if ".p/" not in path:
                mine = {one for one in self._unsynced if one.startswith(f"{path}.p/")}
                self._unsynced -= mine
                self._stale.extend(mine)
            self._unsynced.add(path)

    def _rotate(self) -> None:
        """Start a new journal; the old ones go once their files are synced.

        All that waits for the disk is done in the background. While that takes longer than it took
        to fill the journal, this one goes on growing.
        """
        if self._settling is not None and self._settling.is_alive():
            return
        if self._failure is not None:  # what that journal can make again was not synced
            return
        if self._next is None:
            path = self._state / f"journal-{self._frontier.size}"
            self._begin(self._prepare, path)
            return
        self._journal.close()
        self._journal, self._next = self._next, None
        old = [path for path in journals(self._state) if path != self._journal.path]
        self._begin(self._try_settle, self._unsynced, old)
        self._unsynced = set()

    def _begin(self, work: Callable[..., None], *arguments: object) -> None:
        self._settling = threading.Thread(
            target=work, args=arguments, name="log-settler", daemon=True
        )
        self._settling.start()

    def _prepare(self, path: Path) -> None:
        with contextlib.suppress(OSError):  # short of room: the present journal goes on
            self._next = Journal(path)

    def _try_settle(self, paths: set[str], old: Iterable[Path]) -> None:
        try:
            # With room for the commits between two files, unless the log is closing.
            self._settle(paths, old, rest=lambda: self._ended.wait(_REST_SECONDS))
        except OSError as error:  # the journals are still there; opening the log replays them
            self._failure = error

    def _settle(
        self, paths: set[str], old: Iterable[Path], *, rest: Callable[[], object] = lambda: None
    ) -> None:
        """Sync files, then remove the journals that could make them again."""
        self._files.sync([*paths, CHECKPOINT], rest=rest)
        for path in old:
            path.unlink()
        sync_folder(self._state)
        self._files.drop_partials(path for path in paths if ".p/" not in path)

    def _tidy(self) -> None:
        """Each second, beside commits: the index's own journal, and partial tiles that are full."""
        while not self._ended.wait(_TIDY_SECONDS):
            checkpoint_index(self._state / INDEX)
            while self._stale:
                (self.log.folder / self._stale.popleft()).unlink(missing_ok=True)

    def _recover(self) -> Frontier:
        """Make the files of every journal again, and return the right edge.

        A journal holds whole batches only, each with the checkpoint that was signed over it.
        """
        old = journals(self._state)
        filled = [path for path in old if path.stat().st_size]  # one may be there for later
        batches = [
            batch for path in filled for batch in Journal.read(path, is_last=path == filled[-1])
        ]
        if not batches:
            head = self.log.head()
            frontier = Frontier.load(TileReader(self.log.folder, head.size))
            self._require_root(frontier, head)
        else:
            frontier = Frontier.load(TileReader(self.log.folder, batches[0].old_size))
        for batch in batches:
            head = SignedCheckpoint.from_bytes(batch.checkpoint, where="journal")
            head.verify_log([self.log.key])
            if batch.old_size != frontier.size:
                raise LogError(
                    f"a batch follows leaf {batch.old_size}, the tree has {frontier.size}",
                    where="journal",
                    check="log.journal",
                )
            files = frontier.append(batch.entries)
            self._require_root(frontier, head)
            self._files.put(files)
            self._unsynced.update(files)
        self._require_no_rollback(frontier.size)
        if batches:
            self._files.put({CHECKPOINT: batches[-1].checkpoint})
        self._settle(self._unsynced, old)
        self._unsynced = set()
        return frontier

    def _require_no_rollback(self, size: int) -> None:
        """Stop if anything was shown that the journals do not lead to: going on would fork."""
        heads = {CHECKPOINT: _shown(self.log.head), COSIGNED: _shown(self.log.cosigned)}
        leaves = {where: 0 if head is None else head.size for where, head in heads.items()}
        leaves[f"{STATE}/{INDEX}"] = self._index.size_or_zero()
        for where, count in leaves.items():
            if count > size:
                raise LogError(
                    f"it has {count} leaves, the journals lead to {size}: entries that were "
                    "shown are lost",
                    where=where,
                    check="log.rollback",
                    advice="Bring the log's folder back from a copy that has them.",
                )
        for where, head in heads.items():
            if head is not None:
                require_of_tree(TileReader(self.log.folder, size), head, where=where)

    @staticmethod
    def _require_root(frontier: Frontier, head: SignedCheckpoint) -> None:
        if (frontier.size, frontier.root()) != (head.size, head.root):
            raise LogError(
                f"the files give another tree than the checkpoint of {head.size} leaves",
                check="log.root",
                advice="Run `veridical log fsck`, which names the first broken file.",
            )

    def _open_index(self) -> Index:
        try:
            return Index(self._state / INDEX, mode="write")
        except InputError:  # damaged: nothing in it cannot be made again
            return self._new_index()

    def _new_index(self) -> Index:
        for path in self._state.glob(f"{INDEX}*"):
            path.unlink()
        return Index(self._state / INDEX, mode="write")

    def _catch_up(self) -> None:
        """Take into the index the entries that it lacks; one that is damaged is made again."""
        try:
            self._take_missing()
        except (Error, sqlite3.Error):
            self._index.close()
            self._index = self._new_index()
            self._take_missing()

    def _take_missing(self) -> None:
        size = self._frontier.size
        start = self._index.size
        if start == size:
            return
        self._index.begin()
        for leaf, content in TileReader(self.log.folder, size).entries(start):
            self._index.apply(leaf, entry_from_bytes(content, where=f"leaf {leaf}"))
        self._index.commit(size)


def _shown(read: Callable[[], SignedCheckpoint | None]) -> SignedCheckpoint | None:
    try:
        return read()
    except Error:  # after a loss of power a file that was not synced may hold anything
        return None
