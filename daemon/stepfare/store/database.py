"""What a database is to the store, whichever it is: how it is reached, how questions are put to it, how its errors are told to a person.

The SQL of the questions is written once, in the terms of SQLite; what another database says otherwise, its own module translates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol


class Cursor(Protocol):
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    def fetchmany(self, size: int, /) -> list[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """As much of a connection as the SQL of the store asks of one. Raises the errors of its database."""

    def execute(self, sql: str, values: Sequence[Any] = ..., /) -> Cursor: ...
    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> object: ...
    def close(self) -> None: ...


class Database(Protocol):
    """Where books lie."""

    @property
    def name(self) -> str:
        """For a person: a path, or an address without any secret."""
        ...

    @property
    def beside(self) -> Path:
        """The path beside which this machine keeps the files that belong to these books: their head, their lock."""
        ...

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What may be raised by it."""
        ...

    def connect_to_read(self) -> Connection:
        """A connection that cannot write, usable from any one thread at a time."""
        ...

    def in_words(self, error: BaseException) -> str:
        """What went wrong, and what to do about it."""
        ...

    def is_away(self, error: BaseException) -> bool:
        """Whether the error says that the database cannot be reached at present, rather than that it refused."""
        ...

    def refusal(self, connection: Connection) -> str:
        """Why these are no books of ours or of this version, in words; empty where they are."""
        ...

    def flaws(self, connection: Connection) -> Iterator[str]:
        """What is wrong with the database itself: guards that were removed, a damaged file."""
        ...
