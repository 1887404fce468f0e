# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Real servers and pools, with workers that come and go: everything is counted, exactly once, and nothing hangs.

What is measured here makes the table of docs/fork.md.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import workers
from support.otlp_receiver import OtlpReceiver
from support.program import environment

from servers import matrix

pytestmark = [pytest.mark.servers, pytest.mark.timeout(180)]

PROGRAMS = Path(__file__).parent / "programs"
BIN = Path(sys.executable).parent
REQUESTS = 60
RECYCLED = 10
TASKS = 12


@pytest.fixture(scope="module")
def rows() -> Iterator[list[matrix.Row]]:
    """Collect what was measured, and write it to the page; a page that changed has to be committed."""
    measured: list[matrix.Row] = []
    yield measured
    if len(measured) == CASES:
        before, after = matrix.PAGE.read_text(), matrix.page(measured)
        matrix.PAGE.write_text(after)
        assert before == after, f"{matrix.PAGE.name} has changed: look at the difference and commit it"


class Running:
    """A server in a process group of its own, with what it says in a file."""

    def __init__(self, command: list[str], variables: dict[str, str], log: Path) -> None:
        self._log = log
        self._forks = ("--workers=2" in command and "gunicorn" in command) or "--processes=2" in command
        with log.open("w") as output:
            self._process = subprocess.Popen(
                command,
                env=variables,
                cwd=PROGRAMS,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """What it has said."""
        return self._log.read_text()

    def wait_for_port(self, port: int) -> None:
        """Wait until it listens."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            assert self._process.poll() is None, self.output
            time.sleep(0.05)
        pytest.fail(self.output)

    def end(self) -> int:
        """
        Send SIGTERM, as a supervisor does, and return the exit status; fails if that takes more than 20 seconds.

        Not while a worker starts: gunicorn would lose the signal; uWSGI too, which is told to be less patient.
        """
        if self._forks:
            workers.wait_until_started(self._process.pid, 2)
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(20)
        except subprocess.TimeoutExpired:
            pytest.fail(f"hangs:\n{self.output}")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def measure(receiver: OtlpReceiver, case: tuple[str, str, str], work: int) -> matrix.Row:
    """Return the line for what has arrived."""
    total = receiver.total
    return matrix.Row(*case, work, int(total("t.calls")), int(total("t.added")), len(receiver.spans()))


def assert_exact(receiver: OtlpReceiver, row: matrix.Row, output: str, processes: int) -> None:
    """Everything has arrived exactly once, from at least so many processes."""
    assert row.calls == row.added == row.spans == row.work, (row, output)
    assert sum(1 for calls in receiver.totals("t.calls").values() if calls) >= processes


# -- HTTP servers ---------------------------------------------------------------

WSGI = ["gunicorn", "wsgi:application", "--workers=2"]
THREADS = ["--worker-class=gthread", "--threads=4"]
RECYCLE = f"--max-requests={RECYCLED}"
AFTER = f"after {RECYCLED}"
ASGI = ["uvicorn", "asgi:application"]
# Its Python is the library, which has to be told where the packages are.
UWSGI = ["--module=wsgi:application", "--processes=2", "--master", "--enable-threads", "--die-on-term"]
UWSGI += ["--need-app", "--py-call-osafterfork", "--min-worker-lifetime=0", "--worker-reload-mercy=3"]
WEB = {
    ("gunicorn sync", "fork", "no"): WSGI,
    ("gunicorn sync", "fork", AFTER): [*WSGI, RECYCLE],
    ("gunicorn sync", "fork, --preload", "no"): [*WSGI, "--preload"],
    ("gunicorn sync", "fork, --preload", AFTER): [*WSGI, "--preload", RECYCLE],
    ("gunicorn gthread", "fork", "no"): [*WSGI, *THREADS],
    ("gunicorn gthread", "fork", AFTER): [*WSGI, *THREADS, RECYCLE],
    ("gunicorn gthread", "fork, --preload", "no"): [*WSGI, *THREADS, "--preload"],
    ("gunicorn gthread", "fork, --preload", AFTER): [*WSGI, *THREADS, "--preload", RECYCLE],
    ("uWSGI", "fork", "no"): UWSGI,
    ("uWSGI", "fork", AFTER): [*UWSGI, RECYCLE],
    ("uWSGI", "fork, --lazy-apps", AFTER): [*UWSGI, "--lazy-apps", RECYCLE],
    ("uvicorn", "no children", "no"): ASGI,
    ("uvicorn --workers 2", "spawn", "no"): [*ASGI, "--workers=2"],
    ("uvicorn --workers 2", "spawn", AFTER): [*ASGI, "--workers=2", f"--limit-max-requests={RECYCLED}"],
}


@pytest.mark.parametrize("case", WEB, ids=" ".join)
def test_web_server(tmp_path: Path, rows: list[matrix.Row], case: tuple[str, str, str]) -> None:
    """Every answered request is counted, whichever worker answered and whatever became of it."""
    port = free_port()
    with OtlpReceiver() as receiver:
        server = Running(command(case, port), environment(receiver), tmp_path / "log")
        try:
            server.wait_for_port(port)
            answered: Counter[int] = Counter()
            for _ in range(REQUESTS):
                process = request(f"http://127.0.0.1:{port}/work", server)
                answered[process] += 1
                if case[2] == AFTER and answered[process] == RECYCLED:
                    wait_for_end(process, server)
        finally:
            server.end()
        row = measure(receiver, case, REQUESTS)
        rows.append(row)
        assert_exact(receiver, row, server.output, 1 if case[2] == "no" else REQUESTS // RECYCLED)


def command(case: tuple[str, str, str], port: int) -> list[str]:
    """Return the server's command line."""
    address = f"127.0.0.1:{port}"
    if case[0] == "uWSGI":
        return [str(BIN / "uwsgi"), f"--virtualenv={sys.prefix}", f"--http-socket={address}", *WEB[case]]
    bind = [f"--bind={address}"] if case[0].startswith("gunicorn") else [f"--port={port}"]
    return [sys.executable, "-m", *WEB[case], *bind]


def request(url: str, server: Running) -> int:
    """Return the process that answered; a worker that is being replaced may refuse the first attempts."""
    for _ in range(200):
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return int(answer.read())
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    pytest.fail(server.output)


def wait_for_end(process: int, server: Running) -> None:
    """
    Wait until a worker that has answered its last request is gone.

    uvicorn looks at the number once in a tenth of a second, in which one worker can answer all that are asked.
    """
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    pytest.fail(server.output)


# -- Celery ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis of our own."""
    port = free_port()
    folder = tmp_path_factory.mktemp("redis")
    process = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        assert process.poll() is None
        time.sleep(0.05)
    yield f"redis://127.0.0.1:{port}/0"
    process.terminate()
    process.wait(10)


CELERY = {
    ("Celery prefork", "fork", "no"): ["--pool=prefork", "--concurrency=2"],
    ("Celery prefork", "fork", "after 1"): ["--pool=prefork", "--concurrency=3", "--max-tasks-per-child=1"],
    ("Celery threads", "no children", "no"): ["--pool=threads", "--concurrency=2"],
    ("Celery solo", "no children", "no"): ["--pool=solo"],
}


@pytest.mark.parametrize("case", CELERY, ids=" ".join)
def test_celery(tmp_path: Path, rows: list[matrix.Row], broker: str, case: tuple[str, str, str]) -> None:
    """Every task is counted, also in a pool process that ends after it."""
    with OtlpReceiver() as receiver:
        variables = environment(receiver, BROKER=broker)
        quiet = ["--loglevel=WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        worker = Running(
            [sys.executable, "-m", "celery", "--app=tasks", "worker", *CELERY[case], *quiet],
            variables,
            tmp_path / "log",
        )
        try:
            subprocess.run(
                [sys.executable, "tasks.py", str(TASKS)], cwd=PROGRAMS, env=variables, check=True, timeout=100
            )
        finally:
            status = worker.end()
        row = measure(receiver, case, TASKS)
        rows.append(row)
        assert status == 0, worker.output
        assert_exact(receiver, row, worker.output, 1 if case[2] == "no" else TASKS)


# -- the standard library's ------------------------------------------------------

POOLS = [
    ("os.fork", "fork", "after 1"),
    ("subprocess", "exec", "after 1"),
    *(("multiprocessing.Process", method, "after 1") for method in ("fork", "forkserver", "spawn")),
    *(("multiprocessing.Pool", method, "no") for method in ("fork", "forkserver", "spawn")),
    *(("multiprocessing.Pool", method, "after 1") for method in ("fork", "forkserver", "spawn")),
    *(("ProcessPoolExecutor", method, "no") for method in ("fork", "forkserver", "spawn")),
    *(("ProcessPoolExecutor", method, "after 1") for method in ("forkserver", "spawn")),
]


@pytest.mark.parametrize("case", POOLS, ids=" ".join)
def test_pool(rows: list[matrix.Row], case: tuple[str, str, str]) -> None:
    """Every piece of work is counted, whichever process did it and however that ended."""
    pool, method, recycled = case
    arguments = [pool.removeprefix("multiprocessing."), method, "0" if recycled == "no" else "1", str(TASKS)]
    with OtlpReceiver() as receiver:
        done = subprocess.run(
            [sys.executable, "pools.py", *arguments],
            cwd=PROGRAMS,
            env=environment(receiver),
            stderr=subprocess.PIPE,
            text=True,
            timeout=100,
        )
        row = measure(receiver, case, TASKS)
        rows.append(row)
        assert (done.returncode, done.stderr) == (0, "")
        assert_exact(receiver, row, done.stderr, 1 if recycled == "no" else TASKS)


CASES = len(WEB) + len(CELERY) + len(POOLS)
