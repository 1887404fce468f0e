# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Real servers with several workers under real load: one page says it all, exactly, whoever dies."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from support import workers

from otelkit.exporters.workers.group import WRITE_INTERVAL_S

pytestmark = [pytest.mark.servers, pytest.mark.timeout(180)]

CONFIGURE = """
import os
import otelkit
otelkit.configure(
    service_name="shop", metrics_exporters=("prometheus",), traces_exporters=("none",), machine=("process",)
)
hits = otelkit.counter("hits", labels=["path"])
took = otelkit.histogram("took", unit="s")
each = otelkit.gauge("each", across_workers="each")
"""
WSGI = (
    CONFIGURE
    + """
def app(environ, start):
    hits.increment(path=environ["PATH_INFO"])
    took.observe(0.01)
    each.set(1)
    start("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""
)
ASGI = (
    CONFIGURE
    + """
async def app(scope, receive, send):
    while scope["type"] == "lifespan":
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
    hits.increment(path=scope["path"])
    took.observe(0.01)
    each.set(1)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
"""
)


class Server:
    """A real server and its page."""

    def __init__(self, folder: Path, command: list[str], code: str, **variables: str) -> None:
        (folder / "shop.py").write_text(code)
        self.page = workers.free_port()
        self.port = workers.free_port()
        self.log = folder / "log"
        self.answered: Counter[int] = Counter()
        self.recently_of_killed = 0
        self._answered_at: dict[int, list[float]] = defaultdict(list)
        self._of_killed = 0
        self._workers = int(command[command.index("-w") + 1]) if "-w" in command else 0
        self._lock = threading.Lock()
        command = [word.replace("PORT", str(self.port)) for word in command]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=folder,
                env=workers.environment(folder, OTEL_EXPORTER_PROMETHEUS_PORT=str(self.page), **variables),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.request(1, timeout_s=30)

    def request(self, number: int, timeout_s: float = 5.0) -> None:
        """Send requests; counts those that were answered, by worker."""
        for _ in range(number):
            pid = int(workers.get(f"http://127.0.0.1:{self.port}/buy", timeout_s))
            with self._lock:
                self.answered[pid] += 1
                self._answered_at[pid].append(time.monotonic())

    def load(self, number: int, threads: int = 4) -> None:
        """Send requests from several threads."""
        senders = [threading.Thread(target=self.request, args=(number // threads,)) for _ in range(threads)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()

    def total(self) -> float:
        """Return the requests on the page."""
        return workers.value(self.page, "hits_total", path="/buy")

    def sent(self) -> int:
        """Return the requests that were answered."""
        return sum(self.answered.values()) + self._of_killed

    def kill_one(self) -> None:
        """Kill a worker that has answered."""
        with self._lock:
            alive = [pid for pid in self.answered if self._runs(pid)]
            victim = max(alive, default=0)
            self._of_killed += self.answered.pop(victim, 0)
            since = time.monotonic() - 2 * WRITE_INTERVAL_S  # once more for a thread that comes late
            self.recently_of_killed += sum(at > since for at in self._answered_at[victim])
        if victim:
            os.kill(victim, signal.SIGKILL)

    def _runs(self, pid: int) -> bool:
        try:
            return os.getsid(pid) == self.process.pid
        except ProcessLookupError:
            return False

    def end(self) -> str:
        """End it as an operator would, once it has started; return its log."""
        if self._workers:
            workers.wait_until_started(self.process.pid, self._workers)
        self.process.terminate()
        self.process.wait(20)
        return self.log.read_text()


@pytest.fixture
def serve(tmp_path):
    """Start a server that ends with the test."""
    started = []

    def begin(*command, code, **variables):
        started.append(Server(tmp_path, list(command), code, **variables))
        return started[-1]

    yield begin
    for server in started:
        if server.process.poll() is None:
            os.killpg(server.process.pid, signal.SIGKILL)
            server.process.wait()


def gunicorn(*options):
    """Return the command for gunicorn with four workers."""
    return ["gunicorn", "shop:app", "-w", "4", "-b", "127.0.0.1:PORT", "--log-level", "warning", *options]


SERVERS = [
    pytest.param(gunicorn(), WSGI, id="gunicorn sync"),
    pytest.param(gunicorn("--threads", "4"), WSGI, id="gunicorn gthread"),
    pytest.param(gunicorn("--preload"), WSGI, id="gunicorn preload"),
    pytest.param(
        ["uvicorn", "shop:app", "--workers", "2", "--port", "PORT", "--log-level", "warning"], ASGI, id="uvicorn"
    ),
]


@pytest.mark.parametrize(("command", "code"), SERVERS)
def test_exact_counts_while_workers_are_killed(serve, command, code):
    """Every answered request is on the page, at once; kill -9 of workers takes nothing of what was shown."""
    server = serve(*command, code=code)
    server.load(400)
    while len(server.answered) < 2:  # the kernel chooses who answers
        server.load(160, threads=16)
    assert server.total() == server.sent()
    for _ in range(2):
        shown = server.total()
        server.kill_one()
        assert server.total() == shown
        server.load(100)
        assert server.total() == server.sent()
    samples = workers.scrape(server.page)
    assert sum(sample.value for sample in samples["took_seconds_count"]) == server.sent()
    assert {int(sample.labels["process_pid"]) for sample in samples["each"]} <= set(server.answered)
    assert len(samples["process_cpu_time_seconds_total"]) == 2
    assert "otelkit" not in server.end()


@pytest.mark.parametrize("options", [(), ("--preload",)], ids=["load", "preload"])
def test_exact_counts_while_workers_are_recycled(serve, options):
    """Under load, with workers that end after 50 requests, the page never goes back, and ends exact."""
    server = serve(*gunicorn("--max-requests", "50", "--max-requests-jitter", "20", *options), code=WSGI)
    seen, stop = [], threading.Event()

    def watch():
        while not stop.is_set():
            seen.append(server.total())
            time.sleep(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    server.load(1_200)
    stop.set()
    watcher.join()
    assert seen == sorted(seen)
    assert len(server.answered) > 4
    assert server.total() == server.sent()
    assert "otelkit" not in server.end()


def test_killed_at_random_under_load(serve):
    """With workers killed at random moments, the page never goes back and misses one interval of each at most."""
    server = serve(*gunicorn(), code=WSGI)
    server.load(40)
    seen, stop = [server.total()], threading.Event()

    def watch():
        while not stop.is_set():
            seen.append(server.total())
            time.sleep(0.03)

    def kill():
        for _ in range(6):
            time.sleep(0.4)
            server.kill_one()

    threads = [threading.Thread(target=watch), threading.Thread(target=kill)]
    for thread in threads:
        thread.start()
    server.load(1_500)
    threads[1].join()
    stop.set()
    threads[0].join()
    assert seen == sorted(seen)
    # A request that was cut off may have been counted and then sent again; four were on their way when one was killed.
    assert -6 <= server.sent() - server.total() <= server.recently_of_killed + 6 * 4
    before = server.total()
    server.load(100)
    assert server.total() == before + 100
    server.end()


def test_the_folder_stays_small(serve, tmp_path):
    """However many workers have come and gone, there is a file for each live one and one for the dead."""
    server = serve(*gunicorn("--max-requests", "10"), code=WSGI)
    server.load(120)
    assert server.total() == server.sent()
    names = [path.name for path in tmp_path.glob("otelkit-*/*/*")]
    assert sum(name.endswith(".values") for name in names) <= 10
    server.end()


UNAWARE = """
import os
from opentelemetry import metrics
hits = metrics.get_meter("shop").create_counter("hits")

async def asgi(scope, receive, send):
    while scope["type"] == "lifespan":
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
    hits.add(1, {"path": scope["path"]})
    await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})

def wsgi(environ, start):
    hits.add(1, {"path": environ["PATH_INFO"]})
    start("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["gunicorn", "shop:wsgi", "-w", "3", "-b", "127.0.0.1:PORT"], id="gunicorn"),
        pytest.param(["gunicorn", "shop:wsgi", "-w", "3", "--preload", "-b", "127.0.0.1:PORT"], id="preload"),
        pytest.param(["uvicorn", "shop:asgi", "--workers", "2", "--port", "PORT"], id="uvicorn"),
    ],
)
def test_a_server_that_has_never_heard_of_it(serve, command):
    """Under ``otelkit run`` the SDK's own instruments are exact as well, host and processes once."""
    options = [
        "otelkit",
        "run",
        "--metrics-exporters",
        "prometheus",
        "--traces-exporters",
        "none",
        "--",
        sys.executable,
    ]
    server = serve(*options, "-m", *command, code=UNAWARE)
    server.load(200)
    assert server.total() == server.sent()
    samples = workers.scrape(server.page)
    assert [sample.value for sample in samples["system_cpu_logical_count"]] == [os.cpu_count()]
    assert len(samples["process_memory_usage_bytes"]) == 1
    assert len(samples["target_info"]) == 1
    server.end()
