# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The tables, and how their file is opened.

```
metrics 1──n series 1──n exemplars
        1──n blocks                  packed points of some hundred series each, as they came and merged (`blocks`)
        1──n due                     stretches of time whose points are to be merged, again or for the first time
journal                              points of the last minutes, which are in no block yet (`journal`)
traces  1──n pieces                  spans as they came, by request (`pieces`)
tallies                              how many traces began when (`tallies`)
blobs                                resources and scopes of spans, layouts of buckets
```
"""

from __future__ import annotations

import logging
import os
import sqlite3
from pathlib import Path

from otelkit.viewer.store import tallies

_logger = logging.getLogger("otelkit")

VERSION = 4
FILE_NAME = "viewer.sqlite"

_TABLES = """
CREATE TABLE IF NOT EXISTS blobs (
    id INTEGER PRIMARY KEY, used_ns INTEGER NOT NULL, body BLOB NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS metrics (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, unit TEXT NOT NULL, description TEXT NOT NULL,
    temporality TEXT NOT NULL, monotonic INTEGER NOT NULL, scope TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY, metric_id INTEGER NOT NULL, resource BLOB NOT NULL, attributes BLOB NOT NULL,
    first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS layouts (id INTEGER PRIMARY KEY, bounds BLOB NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS journal (
    id INTEGER PRIMARY KEY, numbers BLOB NOT NULL, others BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS blocks (
    id INTEGER PRIMARY KEY, metric_id INTEGER NOT NULL, resolution_ns INTEGER NOT NULL, slot_ns INTEGER NOT NULL,
    layout_id INTEGER NOT NULL, first_series INTEGER NOT NULL, last_series INTEGER NOT NULL,
    start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, points INTEGER NOT NULL, written_ns INTEGER NOT NULL,
    body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS blocks_by_metric ON blocks (metric_id, resolution_ns, slot_ns, end_ns, start_ns);
CREATE INDEX IF NOT EXISTS blocks_by_age ON blocks (resolution_ns, end_ns);
CREATE TABLE IF NOT EXISTS due (
    metric_id INTEGER NOT NULL, resolution_ns INTEGER NOT NULL, slot_ns INTEGER NOT NULL,
    PRIMARY KEY (metric_id, resolution_ns, slot_ns)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS exemplars (
    series_id INTEGER NOT NULL, time_ns INTEGER NOT NULL, span_id BLOB NOT NULL, trace_id BLOB NOT NULL,
    value REAL NOT NULL, attributes BLOB NOT NULL, PRIMARY KEY (series_id, time_ns, span_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS exemplars_by_time ON exemplars (time_ns);
CREATE TABLE IF NOT EXISTS traces (
    id INTEGER PRIMARY KEY, trace_id BLOB NOT NULL UNIQUE, root_rank INTEGER NOT NULL, root_start_ns INTEGER NOT NULL,
    root_service TEXT NOT NULL, root_name TEXT NOT NULL, start_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL,
    spans INTEGER NOT NULL, errors INTEGER NOT NULL, services TEXT NOT NULL,
    s0 INTEGER NOT NULL, s1 INTEGER NOT NULL, s2 INTEGER NOT NULL,
    s3 INTEGER NOT NULL, s4 INTEGER NOT NULL, s5 INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS traces_by_start ON traces (start_ns, duration_ns, errors, s0, s1, s2, s3, s4, s5);
CREATE INDEX IF NOT EXISTS traces_by_root ON traces (root_service, root_name, start_ns, duration_ns, errors, root_rank);
CREATE TABLE IF NOT EXISTS tallies (
    step_ns INTEGER NOT NULL, start_ns INTEGER NOT NULL, service TEXT NOT NULL, name TEXT NOT NULL,
    traces INTEGER NOT NULL, rooted INTEGER NOT NULL, failed INTEGER NOT NULL,
    PRIMARY KEY (step_ns, start_ns, service, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pieces (
    id INTEGER PRIMARY KEY, trace INTEGER NOT NULL, ids BLOB NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS pieces_by_trace ON pieces (trace);
"""


def open_for_writing(folder: Path) -> sqlite3.Connection:
    """
    Open the folder's file, made where there is none, by this user alone readable.

    The connection is for one thread at a time, and in autocommit mode: transactions are begun by hand.

    Errors: sqlite3.Error, OSError.
    """
    path = folder / FILE_NAME
    for each in (path, path.with_name(f"{FILE_NAME}-wal"), path.with_name(f"{FILE_NAME}-shm")):
        os.close(os.open(each, os.O_CREAT | os.O_RDWR, 0o600))
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    for pragma in (
        "page_size = 8192",
        "auto_vacuum = INCREMENTAL",
        "journal_mode = WAL",
        # A killed process loses nothing that was committed; the machine's power may take the last seconds.
        "synchronous = NORMAL",
        "journal_size_limit = 16777216",
        "cache_size = -16384",
        "temp_store = MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if not 0 <= version <= VERSION:
        connection.close()
        raise sqlite3.DatabaseError(f"its format is {version}, and this otelkit reads {VERSION}")
    connection.executescript(_TABLES)
    if version < VERSION:
        _renew(connection, folder, version)
    connection.execute(f"PRAGMA user_version = {VERSION}")
    return connection


def _renew(connection: sqlite3.Connection, folder: Path, version: int) -> None:
    """Bring the folder of an older otelkit to this one's format: its traces stay, its metric points do not."""
    connection.executescript(
        "BEGIN; DROP TABLE IF EXISTS chunks; DELETE FROM blocks; DELETE FROM due; DELETE FROM metrics; "
        "DELETE FROM series; DELETE FROM layouts; DELETE FROM journal; DELETE FROM exemplars; COMMIT"
    )
    tallies.fill(connection)
    if version:
        _logger.warning("%s is of an older otelkit: its traces are kept, its metrics begin anew.", folder)


def open_for_reading(folder: Path) -> sqlite3.Connection:
    """Open the folder's file for queries, each of which sees what is committed when it begins."""
    uri = (folder / FILE_NAME).absolute().as_uri()
    connection = sqlite3.connect(f"{uri}?mode=ro", uri=True, isolation_level=None, check_same_thread=False, timeout=10)
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA cache_size = -2048")
    return connection
