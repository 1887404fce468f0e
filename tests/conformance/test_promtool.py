# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The pages before Prometheus' own tools: promtool's linter and its OpenMetrics parser, and a real Pushgateway."""

import re
import socket
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_text

from otelkit import semconv
from otelkit._core._snapshot import (
    Attributes,
    Exemplar,
    ExponentialPoint,
    HistogramPoint,
    Kind,
    Metric,
    MetricSnapshot,
    NumberPoint,
    SummaryPoint,
)
from otelkit.exporters import pushgateway
from otelkit.exporters._exposition import otelkit_scope, render
from otelkit.exporters._prometheus_names import metric_name

pytestmark = pytest.mark.promtool

CACHE = Path(__file__).parents[2] / ".cache"
START_NS = 1_700_000_000_250_000_000
ODD_TEXTS = [
    "",
    "plain",
    'quo"te',
    "back\\slash",
    "new\nline",
    "tab\tand } brace",
    "größe ✓ 字符 🎉",
    "\u2028",
    "x" * 500,
]


def tool(name):
    """Return the path of a tool that make has built."""
    path = CACHE / name
    assert path.exists(), f"{path} is missing: run make test-promtool, which builds it from tools/{name}"
    return str(path)


def point(kind, text):
    """Make a point of the kind with an exemplar and an odd label."""
    attributes, exemplar = Attributes({"text": text, "error.type": "none"}), Exemplar.of(0.5, 0xABC, 0xDEF, START_NS)
    match kind:
        case Kind.HISTOGRAM:
            buckets = [1, 2, 3, 0]
            return HistogramPoint(attributes, START_NS, 2, 6, 2.5, 0, 9, (5e-5, 1.0, 1e6), buckets, (exemplar,))
        case Kind.EXPONENTIAL_HISTOGRAM:
            return ExponentialPoint(attributes, START_NS, 2, 4, 2.5, 0, 9, 1, 1, -1, [1, 1, 1], 0, [], (exemplar,))
        case Kind.SUMMARY:
            return SummaryPoint(attributes, START_NS, 2, 6, 2.5, ((0.5, 0.1), (0.99, 1.0)))
        case Kind.COUNTER:
            return NumberPoint(attributes, START_NS, 2, 1e9, exemplar)
        case _:
            return NumberPoint(attributes, START_NS, 2, -1e-9)


def snapshots():
    """Return the whole vocabulary, and a metric of each kind, each with all odd labels."""
    declared = [value for value in vars(semconv).values() if isinstance(value, Metric)]
    declared += semconv.call_metrics("function")
    declared += [Metric(f"shop.thing.{number}", kind, "By", "A thing.") for number, kind in enumerate(Kind)]
    return [MetricSnapshot(metric, [point(metric.kind, text) for text in ODD_TEXTS]) for metric in declared]


def test_promtool_accepts_the_text_page():
    """No syntax error, and no lint but one that the semantic conventions earn: they call a number ``*.count``."""
    page = render(snapshots(), openmetrics=False, scope=otelkit_scope(), target={"service.name": "shop"})
    done = subprocess.run([tool("promtool"), "check", "metrics"], input=page, capture_output=True, timeout=60)
    conventional = {
        f'{metric_name(metric)} non-histogram and non-summary metrics should not have "_count" suffix'
        for metric, _ in snapshots()
        if metric_name(metric).endswith("_count")
    }
    assert conventional
    assert set(done.stderr.decode().splitlines() + done.stdout.decode().splitlines()) == conventional
    assert done.returncode == 3


def test_promtool_refuses_a_broken_page():
    """The check above can fail."""
    page = render(snapshots(), openmetrics=False).replace(b'le="1.0"', b'le="1.0', 1)
    done = subprocess.run([tool("promtool"), "check", "metrics"], input=page, capture_output=True, timeout=60)
    assert done.returncode == 1


def load(page, folder):
    """Let Prometheus' OpenMetrics parser read a page, each sample with the timestamp that this command wants."""
    sample = re.compile(r"^([^#\n][^{\n]*(?:\{.*?\})?) (\S+)((?: # \{.*)?)$", re.MULTILINE)
    stamped = sample.sub(r"\1 \2 1700000100\3", page.decode())
    (folder / "page").write_text(stamped, newline="")
    command = [tool("promtool"), "tsdb", "create-blocks-from", "openmetrics", folder / "page", folder / "blocks"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_prometheus_reads_the_openmetrics_page(tmp_path):
    """Prometheus' own OpenMetrics parser takes every line, exemplars and units included, and stores every series."""
    page = render(snapshots(), openmetrics=True, scope=otelkit_scope(), target={"service.name": "shop"})
    assert page.count(b" # {trace_id=") > 20
    done = load(page, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    listed = subprocess.run(
        [tool("promtool"), "tsdb", "list", tmp_path / "blocks"], capture_output=True, text=True, timeout=60, check=True
    )
    samples = sum(not line.startswith("#") for line in page.decode().split("\n")[:-1])
    assert str(samples) in listed.stdout.split()


def test_prometheus_refuses_a_broken_openmetrics_page(tmp_path):
    """The check above can fail: an exemplar cut short is refused."""
    page = render(snapshots(), openmetrics=True).replace(b'def"} 0.5 1700000000.250000', b'def"}', 1)
    assert load(page, tmp_path).returncode != 0


@dataclass
class Settings:
    """The settings that the Pushgateway's reader looks at."""

    pushgateway_url: str
    service_name: str | None = "nightly/clean ü"
    pushgateway_job: str | None = None
    export_interval_s: float = 3_600.0
    prometheus_scope_labels: bool = True


class Source:
    """The snapshots as a source."""

    def snapshot(self):
        """Return the snapshots."""
        return snapshots()


@pytest.fixture
def gateway():
    """Run a real Pushgateway on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [tool("pushgateway"), f"--web.listen-address=127.0.0.1:{port}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                urllib.request.urlopen(f"{url}/-/ready", timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "the Pushgateway did not start"
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.communicate(timeout=10)


def test_a_real_pushgateway_takes_the_page(gateway):
    """Every series comes back from the gateway under the job that was pushed, slash and umlaut included."""
    reader = pushgateway.create_reader(Settings(gateway), Source())
    assert reader.push() is True
    reader.shutdown()
    with urllib.request.urlopen(f"{gateway}/metrics", timeout=5) as response:
        page = response.read().decode()
    served = [s for family in parse_text(page) for s in family.samples if s.labels.get("job") == "nightly/clean ü"]
    sent = [s for family in parse_text(render(snapshots(), openmetrics=False).decode()) for s in family.samples]
    pushed = [s for s in served if not s.name.startswith("push_") and s.name != "target_info"]
    assert sorted(s.name for s in pushed) == sorted(s.name for s in sent)
    assert {s.labels["text"] for s in pushed} == set(ODD_TEXTS)
