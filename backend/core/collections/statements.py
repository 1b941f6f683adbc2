"""Statements, compiled once for each shape of request and run with the request's values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg.errors import QueryCanceled
from sqlalchemy import ClauseElement
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from backend.core.collections.declaration import Collection
from backend.core.collections.problems import QueryTimeout
from backend.core.database import Cursor

MAX_SHAPES = 2000
NARROW = "The query took too long: narrow the filter, or sort by an indexed column."
TIMEOUT = {"parameter": "", "code": "query_timeout", "detail": NARROW}

_DIALECT: Any = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # untyped upstream


@dataclass(frozen=True)
class Statement:
    """A statement's text for the driver, with the values that never change."""

    text: str
    constants: Mapping[str, Any]


def compile_statement(element: ClauseElement) -> Statement:
    """Return the statement as the driver takes it."""
    compiled: Any = element.compile(dialect=_DIALECT)
    constants = {name: value for name, value in compiled.params.items() if value is not None}
    return Statement(str(compiled), constants)


def statement(collection: Collection, shape: Any, build: Callable[[], ClauseElement]) -> Statement:
    """Return the collection's statement for this shape, built when it is first seen."""
    found = collection.compiled.get(shape)
    if found is None:
        if len(collection.compiled) >= MAX_SHAPES:
            collection.compiled.clear()
        found = collection.compiled[shape] = compile_statement(build())
    return found


def run(cursor: Cursor, prepared: Statement, values: Mapping[str, Any]) -> list[Any]:
    """Return the rows of the statement.

    :raises QueryTimeout: when it takes longer than the cursor allows
    """
    try:
        return cursor.execute(prepared.text, {**prepared.constants, **values}).fetchall()
    except QueryCanceled as error:
        raise QueryTimeout(NARROW, errors=[TIMEOUT]) from error


def plan_rows(cursor: Cursor, prepared: Statement, values: Mapping[str, Any]) -> int:
    """Return how many rows the planner expects."""
    explained = Statement(f"EXPLAIN (FORMAT JSON) {prepared.text}", prepared.constants)
    ((plan,),) = run(cursor, explained, values)
    return int(plan[0]["Plan"]["Plan Rows"])
