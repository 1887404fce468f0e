# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Killed, full, held by another: what was acknowledged is there, what was not is said."""

from __future__ import annotations

import http.client
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.viewer import EVER, PROTOBUF, SECOND_NS, Viewer, ask, histogram, metrics, number, span, traces

from otelkit.exceptions import ConfigurationError
from otelkit.viewer.server import Dashboard, Options
from otelkit.viewer.store import TraceQuery
from otelkit.viewer.store.limits import Limits
from otelkit.viewer.store.store import Store

START_TIMEOUT_S = 30.0
COMMAND = (sys.executable, "-m", "otelkit", "dashboard", "--port", "0", "--grpc-port", "-1")


@contextmanager
def command(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run `otelkit dashboard` on a free port; gives the process and the port."""
    process = subprocess.Popen(
        [*COMMAND, "--data", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("Open http"), line
        yield process, urlsplit(line.split()[1]).port or 0
    finally:
        process.kill()
        process.communicate()


class Load(threading.Thread):
    """Sends spans and points, one request after the other, and remembers what was acknowledged."""

    def __init__(self, port: int, first: int, base_ns: int) -> None:
        super().__init__()
        self._port, self._next, self._base_ns = port, first, base_ns
        self.acknowledged: list[int] = []
        self.sent = first

    def run(self) -> None:
        """Send until nobody answers any more."""
        while True:
            at = self._base_ns + self._next * 1_000
            self.sent = self._next
            point = metrics(number("n", self._next, time_ns=at), histogram("h", [1], [self._next, 1], time_ns=at))
            roots = traces(span(f"operation {self._next}", start_ns=at), span("second", start_ns=at))
            try:
                for path, request in (("/v1/metrics", point), ("/v1/traces", roots)):
                    answer = ask(self._port, "POST", path, request.SerializeToString(), {"Content-Type": PROTOBUF})
                    assert answer.status == 200
            except (OSError, AssertionError, EOFError, http.client.HTTPException):
                return
            self.acknowledged.append(self._next)
            self._next += 1


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, report: Callable[[object], None]) -> None:
    """Killed four times in the middle of it, sealing included: each acknowledged point and span is there, once."""
    base_ns, first = time.time_ns() - 600 * SECOND_NS, 1
    acknowledged: list[int] = []
    pause = random.Random(11)
    for _ in range(4):
        with command(tmp_path) as (process, port):
            load = Load(port, first, base_ns)
            load.start()
            enough = pause.randint(15, 60)
            while len(load.acknowledged) < enough:
                assert load.is_alive()
                time.sleep(0.002)
            process.send_signal(signal.SIGKILL)
            load.join()
            acknowledged += load.acknowledged
            first = load.sent + 1
        # What a run between two kills leaves behind is packed half-way, too.
        store = Store(tmp_path)
        store._sealing.begin(store.catalogue)
        batch = store.batch()
        store.commit(batch)
        store.close()
    assert sqlite3.connect(tmp_path / "viewer.sqlite").execute("PRAGMA integrity_check").fetchone() == ("ok",)
    store = Store(tmp_path)
    (series,) = store.series("n")
    points = store.numbers([series.id], 0, EVER)[series.id]
    values = [int(value) for value in points.values]
    assert set(acknowledged) <= set(values) <= set(range(1, first))
    assert values == sorted(set(values))
    (histograms,) = store.series("h")
    (run,) = store.histograms([histograms.id], 0, EVER)[histograms.id]
    assert list(run.buckets[::2]) == values
    found = store.traces(TraceQuery(limit=10_000))
    roots = {summary.root_name for summary in found if summary.root_name != "second"}
    assert {f"operation {each}" for each in acknowledged} <= roots
    assert (
        store.statistics().spans
        == len(found)
        == sum(len(spans) for spans in store.spans([each.trace_id for each in found]).values())
    )
    store.close()
    report(f"acknowledged {len(acknowledged)} times over 4 kills; stored {len(values)} points, {len(found)} spans")


def test_a_full_disk_refuses_and_goes_on_when_there_is_room(tmp_path: Path, report: Callable[[object], None]) -> None:
    """503 with a time to come again, counted; readers go on; with room, everything sent again is stored, once."""
    with Viewer(tmp_path) as viewer:
        writing = viewer.store._writing
        assert viewer.post("/v1/metrics", metrics(number("n", 1))).status == 200
        (pages,) = writing.execute("PRAGMA page_count").fetchone()
        writing.execute(f"PRAGMA max_page_count = {pages + 4}")
        statuses, refused = [], []
        for value in range(200):
            request = traces(
                *(span(f"{value} {each}", attributes={"noise": os.urandom(200).hex()}) for each in range(20))
            )
            answer = viewer.post("/v1/traces", request)
            statuses.append(answer.status)
            if answer.status != 200:
                assert answer.headers["retry-after"] == "5"
                refused.append(request)
            if len(refused) == 5:
                break
        assert set(statuses) == {200, 503}
        assert viewer.counts["refused.requests.storage"] == 5
        assert (
            viewer.post(
                "/v1/metrics", metrics(*(number("n", 1, {"new": "x" * 5_000 + str(each)}) for each in range(50)))
            ).status
            == 503
        )
        assert viewer.values("n") == {(): [1.0]}
        taken = statuses.count(200)
        assert viewer.store.statistics().spans == taken * 20
        writing.execute("PRAGMA max_page_count = 1000000")
        for request in refused:
            assert viewer.post("/v1/traces", request).status == 200
        assert viewer.post("/v1/metrics", metrics(number("n", 2))).status == 200
        assert viewer.values("n") == {(): [1.0, 2.0]}
        assert viewer.store.statistics().spans == (taken + 5) * 20
        report(f"full disk: {taken} of {len(statuses)} requests taken, then all: {viewer.counts}")
    store = Store(tmp_path)
    assert store.statistics().spans == (taken + 5) * 20
    store.close()


def test_a_bug_in_one_request_does_not_take_the_others_down(viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever decoding trips over is refused alone; what was committed with it is committed again without it."""
    decode = viewer.dashboard.inlet._spans.decode

    def trip(body: bytes, batch: object, refused: object) -> object:
        came = decode(body, batch, refused)  # type: ignore[arg-type]
        if b"trip" in body:
            raise RuntimeError("a bug")
        return came

    monkeypatch.setattr(viewer.dashboard.inlet._spans, "decode", trip)
    held = threading.Event()
    unsubscribe = viewer.store.subscribe(lambda _: held.wait(10))
    submit = viewer.dashboard.inlet.submit
    first = submit("traces", traces(span("first")).SerializeToString())
    others = [submit("traces", traces(span(name)).SerializeToString()) for name in ("good", "trip", "fine")]
    held.set()
    unsubscribe()
    assert [answer.result(30).http for answer in (first, *others)] == [200, 200, 400, 200]
    assert {each.root_name for each in viewer.store.traces(TraceQuery())} == {"first", "good", "fine"}
    assert viewer.store.statistics().spans == 3


def test_two_on_one_folder(tmp_path: Path) -> None:
    """The second says who holds it: process and address; when the first is gone, it is free."""
    with Viewer(tmp_path) as viewer:
        with pytest.raises(ConfigurationError, match=f"process {os.getpid()} at http://127.0.0.1:{viewer.port}"):
            Store(tmp_path)
        done = subprocess.run(
            [*COMMAND, "--data", str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=START_TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 2
        assert f"held by process {os.getpid()}" in done.stderr
    with command(tmp_path) as (process, _):
        process.kill()
        process.wait()
    Store(tmp_path).close()


def test_a_port_that_is_taken_leaves_nothing_behind(tmp_path: Path) -> None:
    """It names the port and the remedy, and lets go of the folder."""
    with Viewer(tmp_path / "one") as viewer:
        with pytest.raises(ConfigurationError, match=str(viewer.port)):
            Dashboard(Options(folder=tmp_path / "two", port=viewer.port, grpc_port=None))
        Store(tmp_path / "two").close()


def test_files_are_this_users_alone(tmp_path: Path) -> None:
    """0600, whatever the umask says."""
    before = os.umask(0)
    try:
        with Viewer(tmp_path / "data") as viewer:
            viewer.post("/v1/traces", traces(span("a")))
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").iterdir()}
            assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    finally:
        os.umask(before)
    assert len(modes) >= 3
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("content", [b"not a database" * 1_000, b""])
def test_a_file_that_is_none(tmp_path: Path, content: bytes) -> None:
    """What is no database is an error that says so; an empty file is one that was never written."""
    (tmp_path / "viewer.sqlite").write_bytes(content)
    if content:
        with pytest.raises(ConfigurationError, match="not a database"):
            Store(tmp_path)
        (tmp_path / "viewer.sqlite").unlink()
    Store(tmp_path).close()


def test_beyond_its_bytes_the_oldest_goes(tmp_path: Path) -> None:
    """Size is held by deleting the oldest; the newest stay, and so do the numbers that say what is held."""
    limits = Limits(held_bytes=600_000)
    base_ns = time.time_ns() - 3_000 * SECOND_NS
    with Viewer(tmp_path, limits) as viewer:
        for minute in range(50):
            noise = {"noise": os.urandom(500).hex()}
            request = traces(
                *(span("s", start_ns=base_ns + minute * 60 * SECOND_NS, attributes=noise) for _ in range(40))
            )
            viewer.post("/v1/traces", request)
        store = viewer.store
        store._retention._due_at = 0
        until = time.monotonic() + 60
        while store._retention.held_bytes() > limits.held_bytes or store._retention._due_at == 0:
            assert time.monotonic() < until
            time.sleep(0.05)
            store._retention._due_at = min(store._retention._due_at, time.monotonic())
        left = store.traces(TraceQuery(limit=10_000))
        assert 0 < len(left) < 2_000
        assert max(each.start_ns for each in left) == base_ns + 49 * 60 * SECOND_NS
        assert min(each.start_ns for each in left) > base_ns
        assert store.statistics().spans == len(left)


def test_a_folder_of_an_older_otelkit(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its traces stay, its points do not, and it says so; a folder of a newer one is left alone."""
    with Viewer(tmp_path) as viewer:
        viewer.post("/v1/traces", traces(span("kept")))
        viewer.post("/v1/metrics", metrics(number("n", 1), histogram("h", [1], [1, 1])))
    file = sqlite3.connect(tmp_path / "viewer.sqlite")
    file.execute("CREATE TABLE chunks (id INTEGER PRIMARY KEY)")
    file.execute("PRAGMA user_version = 1")
    file.close()
    with Viewer(tmp_path) as viewer:
        assert [each.root_name for each in viewer.store.traces(TraceQuery())] == ["kept"]
        assert viewer.store.series() == []
        assert "its traces are kept, its metrics begin anew" in caplog.text
        assert viewer.post("/v1/metrics", metrics(number("n", 2))).status == 200
        assert viewer.values("n") == {(): [2.0]}
    file = sqlite3.connect(tmp_path / "viewer.sqlite")
    file.execute("PRAGMA user_version = 99")
    file.close()
    with pytest.raises(ConfigurationError, match="its format is 99"):
        Store(tmp_path)
