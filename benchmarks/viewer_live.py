# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
How long it takes from a span's end until it is on the screen of somebody who watches.

    python -m benchmarks.viewer_live                 60 spans, to a dashboard of its own, in Debian's Chromium
    python -m benchmarks.viewer_live --spans 300

Two roads: a span that is sent as soon as it ends (what the viewer itself takes), and one that a program with
`otelkit.configure(dashboard=True)` records, whose exports come every two seconds. The end is the span's own; "on the
screen" is the frame after the one in which its name came into the list of traces, by the browser's clock, which is the
machine's. Spans come at random moments, so that they hit every part of the page's cycle. Needs the group `browser`.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

MOST_S = 60.0
PROGRAM = """
import random, sys, time
import otelkit
otelkit.configure(service_name="watched", dashboard=True, dashboard_port=0, dashboard_folder=sys.argv[1])
from opentelemetry import trace
tracer = trace.get_tracer("benchmark")
sys.stdin.readline()
for number in range(int(sys.argv[2])):
    time.sleep(random.uniform(0.3, 1.7))
    with tracer.start_as_current_span(f"probe {number}"):
        time.sleep(0.01)
    print(f"probe {number}", time.time(), flush=True)
sys.stdin.readline()
"""
WATCH = """() => {
  window.seen = {};
  const look = () => {
    const names = [...document.querySelectorAll("#content tbody a.name")].map((a) => a.textContent);
    const fresh = names.filter((name) => name.startsWith("probe") && !(name in window.seen));
    for (const name of fresh) window.seen[name] = 0;
    if (fresh.length) requestAnimationFrame(() => requestAnimationFrame(() => {
      for (const name of fresh) window.seen[name] = (performance.timeOrigin + performance.now()) / 1000;
    }));
  };
  const all = { childList: true, subtree: true, characterData: true };
  new MutationObserver(look).observe(document.getElementById("content"), all);
}"""


def main() -> None:
    """Measure both roads, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=60)
    spans = parser.parse_args().spans
    for name, road in (("sent as it ends", _sent), ("configure(dashboard=True)", _recorded)):
        with tempfile.TemporaryDirectory(prefix="otelkit-live-") as folder:
            waits = sorted(road(Path(folder), spans))
        print(
            f"{name}: {len(waits)} spans, p50 {statistics.median(waits) * 1e3:.0f} ms, "
            f"p95 {waits[int(0.95 * len(waits))] * 1e3:.0f} ms, at most {waits[-1] * 1e3:.0f} ms"
        )


def _sent(folder: Path, spans: int) -> list[float]:
    command = [sys.executable, "-m", "otelkit", "dashboard", "--port", "0", "--grpc-port", "-1", "--data", str(folder)]
    with _program(command) as (process, url), _watching(url) as page:
        ended: dict[str, float] = {}
        for number in range(spans):
            page.wait_for_timeout(random.uniform(300, 1_700))
            ended[f"probe {number}"] = end = time.time()
            _post(url.partition("/?")[0], f"probe {number}", end)
        assert process.poll() is None
        return _waits(page, ended)


def _recorded(folder: Path, spans: int) -> list[float]:
    with _program([sys.executable, "-c", PROGRAM, str(folder), str(spans)]) as (process, url), _watching(url) as page:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n")
        process.stdin.flush()
        ended: dict[str, float] = {}
        while len(ended) < spans:
            word, number, end = process.stdout.readline().split()
            ended[f"{word} {number}"] = float(end)
        return _waits(page, ended)


@contextmanager
def _program(command: list[str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run what prints the address of its viewer."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None
            url = next(word for line in process.stdout for word in line.split() if "?token=" in word)
            yield process, url
        finally:
            process.terminate()


@contextmanager
def _watching(url: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{url}#/traces")
        _post(url.partition("/?")[0], "first", time.time())
        page.wait_for_selector("#content tbody a.name", timeout=MOST_S * 1e3)
        page.evaluate(WATCH)
        yield page
        chromium.close()


def _post(address: str, name: str, end: float) -> None:
    span = {"traceId": f"{random.getrandbits(128):032x}", "spanId": f"{random.getrandbits(64):016x}", "name": name,
            "startTimeUnixNano": str(int((end - 0.01) * 1e9)), "endTimeUnixNano": str(int(end * 1e9))}  # fmt: skip
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()
    request = urllib.request.Request(f"{address}/v1/traces", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=MOST_S) as answer:
        assert answer.status == 200


def _waits(page: Page, ended: dict[str, float]) -> list[float]:
    """Return how long each took, once all are there."""
    until = time.monotonic() + MOST_S
    while not all((shown := page.evaluate("window.seen")).get(name) for name in ended):
        assert time.monotonic() < until, "a span did not come to the screen"
        page.wait_for_timeout(100)
    return [shown[name] - end for name, end in ended.items()]


if __name__ == "__main__":
    main()
