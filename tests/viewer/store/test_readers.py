# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Readers beside the writer, and beside each other."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

import pytest
from support.viewer import EVER, Viewer, metrics, number, span, traces

from otelkit.viewer.store import TraceQuery


def open_files(folder: Path) -> int:
    """Return how many descriptors this process has open on files of a folder."""
    links = []
    for name in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{name}"))
        except OSError:  # the one that lists them
            continue
    return sum(link.startswith(str(folder)) for link in links)


def test_threads_that_come_and_go_leave_no_files_open(tmp_path: Path) -> None:
    """64 threads that read, eight at a time: no more than four connections of two files each are ever open."""
    with Viewer(tmp_path) as viewer:
        viewer.post("/v1/traces", traces(span("a")))
        before = open_files(tmp_path)
        for _ in range(8):
            threads = [threading.Thread(target=lambda: viewer.store.traces(TraceQuery())) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert open_files(tmp_path) - before <= 4 * 2
    assert open_files(tmp_path) == 0
    with pytest.raises(sqlite3.ProgrammingError):
        viewer.store.traces(TraceQuery())


def test_readers_see_whole_commits_while_points_are_packed(tmp_path: Path) -> None:
    """Four threads read while 300 commits come and are sealed again and again: no point is missed, none seen twice."""
    wrong: list[str] = []
    with Viewer(tmp_path) as viewer:
        store = viewer.store
        ended = threading.Event()
        acknowledged = [0]

        def read() -> None:
            while not ended.is_set():
                least = acknowledged[0]
                ids = [series.id for series in store.series("n")]
                for points in store.numbers(ids, 0, EVER).values():
                    values = list(points.values)
                    if values != [float(value) for value in range(1, len(values) + 1)] or len(values) < least:
                        wrong.append(f"{len(values)} points after {least}")

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for value in range(1, 301):
            # Due at the next commit: everything that is in memory is frozen and packed.
            store._sealing._began_at = -1e9
            assert viewer.post("/v1/metrics", metrics(number("n", value))).status == 200
            acknowledged[0] = value
        ended.set()
        for thread in threads:
            thread.join()
    assert wrong == []
