# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""`otelkit demo`, run for real: as a process, with its model, its workers and its files."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from otelkit.viewer.store.store import Store

DEMO = (sys.executable, "-m", "otelkit", "demo")
ENVIRONMENT = {
    **{key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "OTELKIT_"))},
    "TERM": "xterm-256color",
}
START_TIMEOUT_S = 40.0
END_TIMEOUT_S = 20.0


class Run(NamedTuple):
    """One whole demo without a terminal, and what could be scraped from it."""

    code: int
    output: str
    errors: str
    text: str
    openmetrics: str
    folder: Path
    children: list[psutil.Process]


def free_port() -> int:
    with socket.create_server(("localhost", 0)) as server:
        return server.getsockname()[1]


def scrape(port: int, accept: str = "text/plain") -> str:
    request = urllib.request.Request(f"http://localhost:{port}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.read().decode()


def wait_for(port: int, name: str, label: str) -> None:
    """Wait until a series of ``name`` with ``label`` has counted something."""
    series = re.compile(rf"^{name}\{{[^}}]*{label}[^}}]*\}} [1-9]", re.MULTILINE)
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until:
        try:
            if series.search(scrape(port)):
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"no {series.pattern} on /metrics within {START_TIMEOUT_S:g} s")


def end(process: subprocess.Popen[str]) -> None:
    """Leave neither the process nor its pipes behind, whatever the test came to."""
    process.kill()
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def wait_until_gone(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Return those of ``processes`` that still run after a while; a zombie, which its new parent forgot, has ended."""
    alive = psutil.wait_procs(processes, timeout=5)[1]
    return [process for process in alive if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run the demo for five seconds, scrape it meanwhile, and collect all it leaves."""
    folder, port = tmp_path_factory.mktemp("demo"), free_port()
    process = subprocess.Popen(
        [*DEMO, "--duration", "5", "--fault-after", "2", "--port", str(port), "--data-folder", str(folder)],
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        # The batch's first run is over: by then everything else has recorded, too.
        wait_for(port, "job_duration_seconds_count", 'job_name="index_files"')
        wait_for(port, "event_processing_time_seconds_count", 'event="order.placed"')
        children = psutil.Process(process.pid).children(recursive=True)
        text = scrape(port)
        openmetrics = scrape(port, "application/openmetrics-text; version=1.0.0")
        output, errors = process.communicate(timeout=5 + END_TIMEOUT_S)
    finally:
        end(process)
    return Run(process.returncode, output, errors, text, openmetrics, folder, children)


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def spans_of(run: Run) -> list[dict[str, Any]]:
    return [
        span
        for data in lines_of(run.folder / "traces.jsonl")
        for resource in data["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def metrics_of(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        metric["name"]: metric
        for resource in data["resourceMetrics"]
        for scope in resource["scopeMetrics"]
        for metric in scope["metrics"]
    }


def test_it_ends_by_itself_and_says_what_happened(run: Run):
    """Exit code 0, nothing on stderr; steps, progress lines and summary, without a control character."""
    assert (run.code, run.errors) == (0, "")
    assert "load magika's model ..." in run.output
    assert re.search(r"^00:0[2-4] of 00:05 +[\d.]+ requests/s", run.output, re.MULTILINE)
    assert "Summary of 5 s" in run.output
    assert "\x1b" not in run.output
    for row in ("Shop.get_product", "shop_client method=GET", "order.placed", "index_files", "index.queue_time"):
        assert re.search(rf"^\w+ +{re.escape(row)} +[\d.]+ ", run.output, re.MULTILINE), row
    assert re.search(r"detect warmup=false model=\w+", run.output)


def test_the_workers_are_gone_when_it_ends(run: Run):
    """The pool's processes lived while it ran, and none survives."""
    assert len(run.children) >= 2
    assert wait_until_gone(run.children) == []


@pytest.mark.parametrize(
    ("sample", "labels"),
    [
        ("service_requests_total", {"service": "Shop", "action": "search"}),
        ("service_active_requests", {"service": "Shop", "action": "place_order"}),
        ("service_response_time_seconds_count", {"service": "Shop", "action": "get_product", "cache": "miss"}),
        ("shop_client_calls_total", {"method": "POST"}),
        ("event_received_total", {"event": "order.placed"}),
        ("event_latency_seconds_count", {"event": "order.placed"}),
        ("job_runs_total", {"job_name": "index_files"}),
        ("job_last_success_seconds", {"job_name": "index_files"}),
        ("index_files_total", {"status": "completed"}),
        ("index_queue_time_seconds_count", {}),
        ("detect_duration_seconds_count", {"warmup": "true"}),
        ("detect_files_total", {"content_type": "python"}),
        ("detect_batch_size_count", {}),
        ("cache_hit_ratio", {}),
        ("process_memory_usage_bytes", {}),
        ("system_cpu_logical_count", {}),
    ],
)
@pytest.mark.parametrize("form", ["text", "openmetrics"])
def test_everything_is_on_metrics(run: Run, sample: str, labels: dict[str, str], form: str):
    """Both forms parse, and hold what service, client, event, job, batch, model and machine recorded."""
    families = parse_text(run.text) if form == "text" else parse_openmetrics(run.openmetrics)
    found = [
        each
        for family in families
        for each in family.samples
        if each.name == sample and labels.items() <= each.labels.items()
    ]
    assert found
    if sample.endswith(("_total", "_count")):
        assert sum(each.value for each in found) > 0


def shown_requests(run: Run) -> dict[str, int]:
    """Return the requests of each action that the summary shows."""
    shown = re.findall(r"^action Shop\.(\w+) .* (\d+)$", run.output, re.MULTILINE)
    return {action: int(total) for action, total in shown}


def test_the_files_hold_what_the_screen_says(run: Run):
    """The last line of metrics.jsonl has as many requests of an action as the summary."""
    last = metrics_of(lines_of(run.folder / "metrics.jsonl")[-1])
    requests: dict[str, int] = {}
    for point in last["service.requests"]["sum"]["dataPoints"]:
        labels = {each["key"]: each["value"]["stringValue"] for each in point["attributes"]}
        requests[labels["action"]] = requests.get(labels["action"], 0) + int(
            point.get("asInt", point.get("asDouble", 0))
        )
    assert shown_requests(run) == requests
    assert sum(requests.values()) > 20


def test_the_slowest_calls_have_their_traces_in_the_file(run: Run):
    """Each trace id under "slowest calls" is one that traces.jsonl holds."""
    slowest = run.output.partition("slowest calls")[2].partition("Files")[0]
    ids = re.findall(r"\b[0-9a-f]{32}\b", slowest)
    assert ids
    assert set(ids) <= {span["traceId"] for span in spans_of(run)}


def test_one_trace_goes_from_the_customer_to_the_invoice(run: Run):
    """The customer's request, the shop's action and the event's handler, in other threads, share a trace."""
    names: dict[str, set[str]] = {}
    for span in spans_of(run):
        names.setdefault(span["traceId"], set()).add(span["name"])
    assert [
        trace for trace, parts in names.items() if parts >= {"shop_client", "Shop.place_order", "order.placed process"}
    ]


def test_the_dashboard_has_what_the_files_have(run: Run):
    """Its address stands first; over OTLP it got every span, and the last total of every action."""
    assert re.match(r"Open http://127\.0\.0\.1:\d+/\?token=[0-9a-f]{48}\n", run.output)
    store = Store(run.folder / "dashboard")
    try:
        assert store.statistics().spans == len(spans_of(run))
        found = store.series("service.requests")
        held = store.numbers([series.id for series in found], 0, 2**63 - 1)
        requests: Counter[str] = Counter()
        for series in found:
            requests[series.attributes["action"]] += int(held[series.id].values[-1])
        assert {action: total for action, total in shown_requests(run).items() if total} == requests
    finally:
        store.close()


def test_the_payment_provider_becomes_slow(run: Run):
    """After two seconds of the five; what places an order waits for it, in the same trace."""
    spans = spans_of(run)
    slow = [each for each in spans if each["name"] == "payment" and duration_s(each) > 0.15]
    assert slow
    orders = {each["traceId"]: duration_s(each) for each in spans if each["name"] == "Shop.place_order"}
    assert all(orders[each["traceId"]] >= duration_s(each) for each in slow)


def duration_s(span: dict[str, Any]) -> float:
    return (int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])) / 1e9


def test_failures_are_real_ones(run: Run):
    """Files that are no text fail in the batch; what customers ask for in vain has its error type."""
    last = metrics_of(lines_of(run.folder / "metrics.jsonl")[-1])
    status = {
        point["attributes"][0]["value"]["stringValue"]: int(point.get("asInt", point.get("asDouble", 0)))
        for point in last["index.files"]["sum"]["dataPoints"]
    }
    assert 0 < status["failed"] < status["completed"]
    errors = json.dumps(last["service.errors"])
    assert re.search(r"demo_system\.shop\.(UnknownOrder|UnknownProduct|InvalidOrder)Error", errors)
    unexpected = {"job.failures", "shop_client.errors", "detect.errors", "otelkit.dropped", "otelkit.failures"}
    assert unexpected.isdisjoint(last)


@pytest.fixture
def on_terminal(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, Path]]:
    """Start the demo in a terminal of 100 by 30 that is its controlling one."""
    terminal, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    take_over = (
        "import fcntl, os, sys, termios;fcntl.ioctl(0, termios.TIOCSCTTY, 0);os.execv(sys.executable, sys.argv[1:])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", take_over, *DEMO, "--data-folder", str(tmp_path)],
        env=ENVIRONMENT,
        stdin=side,
        stdout=side,
        stderr=side,
        start_new_session=True,
    )
    os.close(side)
    try:
        yield process, terminal, tmp_path
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


def read_until(terminal: int, text: str, timeout_s: float) -> str:
    """Read what the terminal shows until ``text`` comes, or until nobody writes any more."""
    shown, until = "", time.monotonic() + timeout_s
    while text not in shown and time.monotonic() < until:
        try:
            shown += os.read(terminal, 65_536).decode(errors="replace")
        except OSError:  # the other side was closed
            break
    return shown


def test_on_a_terminal_it_is_live_and_ctrl_c_ends_it(on_terminal: tuple[subprocess.Popen[bytes], int, Path]):
    """The screen has all its parts; Ctrl-C gives summary and exit code 0, no traceback, no process left."""
    process, terminal, folder = on_terminal
    live = read_until(terminal, "Ctrl-C ends the demo", START_TIMEOUT_S)
    live += read_until(terminal, "Ctrl-C ends the demo", START_TIMEOUT_S)
    for part in ("otelkit demo", "/metrics", "Shop.get_product", "p99", "host", "gpu", "slowest calls"):
        assert part in live, part
    children = psutil.Process(process.pid).children(recursive=True)
    os.write(terminal, b"\x03")
    rest = read_until(terminal, "\x00", END_TIMEOUT_S)
    assert process.wait(END_TIMEOUT_S) == 0
    assert "Summary of" in rest
    assert "Traceback" not in live + rest
    assert str(folder / "traces.jsonl") in rest
    assert wait_until_gone(children) == []


def test_sigterm_ends_it_as_cleanly(tmp_path: Path):
    """Sent to the demo alone: exit code 143, with summary, everything delivered, no process left."""
    port = free_port()
    process = subprocess.Popen(
        [*DEMO, "--port", str(port), "--data-folder", str(tmp_path)],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(port, "service_requests_total", 'action="place_order"')
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=END_TIMEOUT_S)
    finally:
        end(process)
    assert (process.returncode, errors) == (143, "")
    assert "Summary of" in output
    assert "service.requests" in metrics_of(lines_of(tmp_path / "metrics.jsonl")[-1])
    assert wait_until_gone(children) == []


@pytest.mark.parametrize("step", ["start the worker processes", "load magika's model"])
def test_a_signal_during_the_start_ends_it_too(tmp_path: Path, step: str):
    """Ctrl-C while something starts: the step is finished, everything is taken down, exit code 0."""
    process = subprocess.Popen(
        [*DEMO, "--data-folder", str(tmp_path)],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        while step not in process.stdout.readline():
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=END_TIMEOUT_S)
    finally:
        end(process)
    assert (process.returncode, errors) == (0, "")
    assert "open the shop" not in output
    assert "Summary of 0 s" in output


def fails(*arguments: str, code: str = "") -> str:
    """Run the demo, which must refuse with exit code 2, and return its one line."""
    command = [*DEMO, *arguments] if not code else [sys.executable, "-c", code]
    done = subprocess.run(
        command, env=ENVIRONMENT, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_port_that_is_taken_is_an_error(tmp_path: Path):
    """It names the port and says what to do, before anything is started."""
    with socket.create_server(("localhost", 0)) as server:
        port = server.getsockname()[1]
        message = fails("--port", str(port), "--data-folder", str(tmp_path))
    assert f"{port}" in message
    assert "another port" in message


def test_a_missing_extra_is_named_with_its_command():
    """Without rich or magika: the exact pip command."""
    code = "import sys; sys.modules['rich'] = None; from otelkit.cli import main; sys.exit(main(['demo']))"
    message = fails(code=code)
    assert "no rich" in message
    assert "pip install 'otelkit[demo]'" in message


@pytest.mark.parametrize("duration", ["0", "-3", "soon", "nan", "inf"])
def test_a_duration_must_be_seconds_above_zero(duration: str):
    """Anything else is refused, with what was expected."""
    assert "Expected a number of seconds above 0" in fails(f"--duration={duration}")


def test_telemetry_that_is_switched_off_is_an_error():
    """There would be nothing to show; the variable that does it is named."""
    code = (
        "import os, sys; os.environ['OTEL_SDK_DISABLED'] = 'true';"
        "from otelkit.cli import main; sys.exit(main(['demo']))"
    )
    assert "OTEL_SDK_DISABLED" in fails(code=code)
