"""The differential oracle: the same rules by the SQLite backend of pySigma, on stdlib SQLite."""

import re
import sqlite3

import polars as pl


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def regexp(pattern, value):
    """REGEXP as the backend needs it; None never matches, classes are ASCII as in RE2."""
    return value is not None and re.search(pattern, str(value), re.ASCII) is not None


def database(frame):
    """Load a frame into a table ``logs`` whose texts compare without regard to ASCII case."""
    connection = sqlite3.connect(":memory:")
    connection.create_function("REGEXP", 2, regexp, deterministic=True)
    kinds = {pl.String: "TEXT COLLATE NOCASE", pl.Int64: "INTEGER", pl.Float64: "REAL"}
    columns = ", ".join(f"{quoted(n)} {kinds.get(t, 'TEXT')}" for n, t in frame.schema.items())
    connection.execute(f"CREATE TABLE logs (at INTEGER PRIMARY KEY, {columns})")
    marks = ", ".join("?" * (frame.width + 1))
    rows = ((at, *row) for at, row in enumerate(frame.iter_rows()))
    connection.executemany(f"INSERT INTO logs VALUES ({marks})", rows)
    return connection


def rows_matched(connection, rule_yaml):
    """Return the row numbers the oracle finds for one rule document."""
    from sigma.backends.sqlite import sqliteBackend
    from sigma.collection import SigmaCollection

    backend = sqliteBackend(fulltext_field="_all")
    collection = SigmaCollection.from_yaml(rule_yaml)
    for rule in collection.rules:
        for field in backend.required_fields(rule):
            add_column(connection, field)
    found = set()
    for query in backend.convert(collection):
        found.update(row[0] for row in connection.execute(query.replace("*", "at", 1)))
    return sorted(found)


def add_column(connection, field):
    known = {row[1].lower() for row in connection.execute("PRAGMA table_info(logs)")}
    if field.lower() not in known:
        connection.execute(f"ALTER TABLE logs ADD COLUMN {quoted(field)} TEXT COLLATE NOCASE")
