# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The dashboard inside of a program, run as one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.viewer import EVER

from otelkit.viewer.embedded import Frame
from otelkit.viewer.store import TraceQuery
from otelkit.viewer.store.store import Store

BEGINNING = """
import os, sys, otelkit, otelkit.exceptions
from otelkit.viewer import embedded
FOLDER = sys.argv[1]
def configure(**more):
    otelkit.configure(service_name="shop", dashboard=True, dashboard_folder=FOLDER, machine=(), **more)
@otelkit.observed(name="price")
def price(order): return order
"""


def run(folder: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(
        [sys.executable, "-c", BEGINNING + program, str(folder), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def held(folder: Path) -> tuple[dict[str, float], int]:
    """Return the calls that a folder holds by instance, and its traces."""
    store = Store(folder)
    series = store.series("price.calls")
    points = store.numbers([each.id for each in series], 0, EVER)
    calls = {each.instance: points[each.id].values[-1] for each in series}
    traces = len(store.traces(TraceQuery(limit=10_000)))
    store.close()
    return calls, traces


def test_a_program_shows_itself(tmp_path: Path) -> None:
    """One argument: it serves, says where on stderr, and everything is there at its end; nothing else is tried."""
    done = run(tmp_path, "configure()\nfor order in range(50): price(order)")
    assert done.returncode == 0
    assert re.fullmatch(r"otelkit's dashboard: http://127\.0\.0\.1:\d+/\?token=[0-9a-f]{48}\n", done.stderr)
    calls, traces = held(tmp_path)
    assert (list(calls.values()), traces) == ([50], 50)


def test_a_collector_gets_its_share(tmp_path: Path) -> None:
    """An endpoint, or exporters, that are named are used besides."""
    files = tmp_path / "files"
    to_files = "metrics_exporters=['otlp_file'], traces_exporters=['otlp_file']"
    done = run(tmp_path / "data", f"configure({to_files}, data_folder={str(files)!r})\nprice(1)")
    assert done.returncode == 0
    assert list(held(tmp_path / "data")[0].values()) == [1]
    assert {path.name for path in files.iterdir()} == {"metrics.jsonl", "traces.jsonl"}


def test_a_forked_child_sends_and_does_not_serve(tmp_path: Path) -> None:
    """The parent's dashboard has both, each under its own instance; the child holds neither port nor folder."""
    program = """
configure()
for order in range(5): price(order)
child = os.fork()
if child == 0:
    assert embedded.current() is None
    for order in range(7): price(order)
    os._exit(0 if otelkit.flush(10) else 1)
assert os.waitpid(child, 0)[1] == 0
url = embedded.current().base_url
second = os.fork()
if second == 0:
    import time
    time.sleep(60)
    os._exit(0)
otelkit.shutdown(10)
import socket
from otelkit.viewer.store.store import Store
from pathlib import Path
try:
    Store(Path(FOLDER)).close()
    try:
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 5)
        print("still served")
    except ConnectionRefusedError:
        print("free")
finally:
    os.kill(second, 9)
    os.waitpid(second, 0)
"""
    done = run(tmp_path, program)
    assert (done.returncode, done.stdout) == (0, "free\n"), done.stderr
    calls, traces = held(tmp_path)
    assert (sorted(calls.values()), traces) == ([5, 7], 12)


def test_a_second_configuration_keeps_it(tmp_path: Path) -> None:
    """The same address and token, so that a notebook's cell can be run again; switched off, it is gone."""
    program = """
configure(); first = embedded.current(); price(1)
configure(); assert embedded.current() is first; price(2)
otelkit.configure(service_name="shop", metrics_exporters=["none"], traces_exporters=["none"])
assert embedded.current() is None
"""
    done = run(tmp_path, program)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("dashboard") == 1
    assert held(tmp_path)[1] == 2


def test_workers_of_one_service_share_one(tmp_path: Path) -> None:
    """A second process on the folder sends to the first, whose address it finds there."""
    program = """
import subprocess
configure()
price(1)
if len(sys.argv) == 2:
    subprocess.run([sys.executable, "-c", sys.orig_argv[2], FOLDER, "worker"], check=True)
else:
    assert embedded.current() is None
"""
    done = run(tmp_path, program)
    assert done.returncode == 0, done.stderr
    calls, traces = held(tmp_path)
    assert (list(calls.values()), traces) == ([1, 1], 2)


def test_without_the_extra_the_command_is_named(tmp_path: Path) -> None:
    """At the start, as every mistake of configuration."""
    done = run(tmp_path, "sys.modules['starlette'] = None\nconfigure()")
    assert "pip install 'otelkit[dashboard]'" in done.stderr


def test_a_port_that_is_taken_is_said_at_once(tmp_path: Path) -> None:
    """And the program without a dashboard can still be configured."""
    program = """
import socket
taken = socket.create_server(("127.0.0.1", 0))
try:
    configure(dashboard_port=taken.getsockname()[1])
except otelkit.exceptions.ConfigurationError as error:
    print(type(error).__name__)
configure()
price(1)
"""
    done = run(tmp_path, program)
    assert (done.returncode, done.stdout) == (0, "ConfigurationError\n"), done.stderr
    assert held(tmp_path)[1] == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/?token=a", 'http://x/"><script>'])
def test_a_notebook_shows_a_frame(url: str) -> None:
    """IPython's display protocol; the address is text."""
    shown = Frame(url)._repr_html_()
    assert shown.startswith("<iframe src=")
    assert "<script>" not in shown
    assert repr(Frame(url)) == f"otelkit's dashboard: {url}"
