"""Connections: SQLite by default, PostgreSQL by URL, and migrations of both."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, event, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from veridical.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import URL, Connection, Engine, Insert, Table

__all__ = [
    "DIALECTS",
    "checkpoint",
    "downgrade",
    "insert_new",
    "insert_unless",
    "migrate",
    "open_engines",
    "reading",
    "writing",
]

#: The inserts of each database that may leave rows out.
DIALECTS: Final[Mapping[str, Any]] = {
    "postgresql": postgresql.insert,
    "sqlite": sqlite.insert,
}
_READS: Final = "veridical_reads"
_BUSY_MILLISECONDS: Final = 30_000
#: Pages in SQLite's own journal before a commit has to bring them into the database, which takes
#: two waits for the disk. `checkpoint`, called each second beside commits, is there long before.
_MOST_PAGES: Final = 16_384
#: A number of our own among those that sessions of one database may lock.
_MIGRATION_LOCK: Final = 0x76657269
_MIGRATIONS: Final = Path(__file__).parent / "migrations"

#: Routes run in at most 40 threads (Starlette); who gets no connection in time is told so.
_POOL: Final[Mapping[str, Any]] = {"pool_size": 16, "max_overflow": 24, "pool_timeout": 5.0}
#: One for each lane, and a few more while connections are replaced.
_ANSWER_POOL: Final[Mapping[str, Any]] = {"pool_size": 4, "max_overflow": 60, "pool_timeout": 30.0}
#: A server that is gone is noticed within seconds, and no lock is waited for without end.
_POSTGRESQL: Final[Mapping[str, Any]] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "options": "-c lock_timeout=10s -c statement_timeout=60s "
    "-c idle_in_transaction_session_timeout=60s",
}


def open_engines(url: str) -> tuple[Engine, Engine]:
    """Connect, bring the tables up to date, and return two engines: in general, and for answers.

    Raises:
        InputError: no such database, or none that this package can use.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise InputError(f"not the URL of a database: {url!r}") from error
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    elif backend != "sqlite":
        raise InputError(f"no support for {backend!r}", advice="Use sqlite or postgresql.")
    try:
        engine = _engine(parsed, _POOL)
        migrate(engine)
        return engine, _engine(parsed, _ANSWER_POOL)
    except SQLAlchemyError as error:
        shown = parsed.render_as_string(hide_password=True)
        raise InputError(f"cannot open the database: {error}", where=shown) from error


def migrate(engine: Engine, revision: str = "head") -> None:
    """Apply the migrations up to a revision."""
    with writing(engine) as connection:
        _lock_migrations(connection)
        command.upgrade(_config(connection), revision)


def downgrade(engine: Engine, revision: str = "base") -> None:
    """Take migrations back, down to a revision."""
    with writing(engine) as connection:
        _lock_migrations(connection)
        command.downgrade(_config(connection), revision)


def _lock_migrations(connection: Connection) -> None:
    """Let processes that start together migrate in turn; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Yield a connection that only reads; it never waits for a writer in SQLite."""
    with engine.connect().execution_options(**{_READS: True}) as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Yield a transaction; it is on the disk when the block ends."""
    with engine.begin() as connection:
        yield connection


def checkpoint(engine: Engine) -> None:
    """Bring what was committed into SQLite's main file, without holding up a commit."""
    if engine.dialect.name != "sqlite":
        return
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
        cursor.close()
    finally:
        connection.close()


def insert_unless(table: Table, dialect: str, columns: Sequence[str]) -> Insert:
    """Return an insert that leaves a row out whose columns equal those of one that is there."""
    new: Insert = DIALECTS[dialect](table).on_conflict_do_nothing(index_elements=columns)
    return new


def insert_new(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, object]],
    *,
    unless: Sequence[str],
) -> None:
    """Insert rows, but for those whose columns `unless` equal those of one that is there."""
    connection.execute(insert_unless(table, connection.dialect.name, unless), rows)


def _engine(url: URL, pool: Mapping[str, Any]) -> Engine:
    if url.get_backend_name() == "postgresql":
        return create_engine(url, pool_pre_ping=True, connect_args=dict(_POSTGRESQL), **pool)
    if url.database in (None, "", ":memory:"):
        raise ArgumentError("a database in memory does not survive anything")
    engine = create_engine(url, **pool)
    _configure_sqlite(engine)
    return engine


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _configure_sqlite(engine: Engine) -> None:
    """Take transactions into our own hands; the driver would begin them too late."""

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _: object) -> None:  # noqa: ANN401 - of the driver
        connection.isolation_level = None
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"busy_timeout = {_BUSY_MILLISECONDS}",
            f"wal_autocheckpoint = {_MOST_PAGES}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer that begins as a reader fails when another one wrote in between.
        is_read = connection.get_execution_options().get(_READS, False)
        connection.exec_driver_sql("BEGIN" if is_read else "BEGIN IMMEDIATE")
