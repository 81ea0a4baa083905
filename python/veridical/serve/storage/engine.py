"""Connections: SQLite by default, PostgreSQL by URL, and migrations of both."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from veridical.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

__all__ = ["downgrade", "open_engine", "reading", "writing"]

_READS: Final = "veridical_reads"
_BUSY_MILLISECONDS: Final = 30_000
_MIGRATIONS: Final = Path(__file__).parent / "migrations"


def open_engine(url: str) -> Engine:
    """Connect, and bring the tables up to date.

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
        engine = create_engine(parsed, pool_pre_ping=backend == "postgresql")
        if backend == "sqlite":
            _configure_sqlite(engine)
        migrate(engine)
    except SQLAlchemyError as error:
        shown = parsed.render_as_string(hide_password=True)
        raise InputError(f"cannot open the database: {error}", where=shown) from error
    return engine


def migrate(engine: Engine, revision: str = "head") -> None:
    """Apply the migrations up to a revision."""
    with writing(engine) as connection:
        command.upgrade(_config(connection), revision)


def downgrade(engine: Engine, revision: str = "base") -> None:
    """Take migrations back, down to a revision."""
    with writing(engine) as connection:
        command.downgrade(_config(connection), revision)


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
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer that begins as a reader fails when another one wrote in between.
        is_read = connection.get_execution_options().get(_READS, False)
        connection.exec_driver_sql("BEGIN" if is_read else "BEGIN IMMEDIATE")
