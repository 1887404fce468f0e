# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Signals are the program's: none is ever given to a thread of otelkit's."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

from otelkit._core._signals import signals_blocked

# Which threads would take a SIGTERM, by what the kernel says of each; a child says so of its own.
PROGRAM = """
import json, os, pathlib, signal, sys, warnings
import otelkit
warnings.simplefilter("ignore", DeprecationWarning)
otelkit.configure(machine=(), otlp_endpoint="http://127.0.0.1:9", metrics_exporters=("otlp", "prometheus"),
                  prometheus_port=0)
otelkit.counter("hits").increment()

def takers():
    found = {}
    for task in pathlib.Path("/proc/self/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        (blocked,) = (int(line.split()[1], 16) for line in lines if line.startswith("SigBlk"))
        if not blocked >> signal.SIGTERM - 1 & 1:
            found[int(task.name)] = (task / "comm").read_text()
    return [os.getpid() in found, len(found), len(os.listdir("/proc/self/task"))]

parent = takers()
reading, writing = os.pipe()
if not os.fork():
    os.write(writing, json.dumps(takers()).encode())
    os._exit(0)
os.wait()
print(json.dumps([parent, json.loads(os.read(reading, 1_000))]))
"""


def test_only_the_programs_own_thread_takes_its_signals() -> None:
    """In a configured program and in its forked child, SIGTERM can reach the main thread alone of what otelkit runs."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    parent, child = json.loads(done.stdout)
    assert parent[:2] == [True, 1]
    assert parent[2] >= 4  # main, the reader's, the server's, the span exporter's
    assert child[0]
    # The SDK starts its span processor's thread in a hook of its own, which otelkit does not reach.
    assert child[1] <= 2
    assert child[2] >= 4


def test_a_signal_that_comes_meanwhile_is_handled_at_the_end() -> None:
    """Blocking delays it, and nothing more; the mask is afterwards what it was."""
    got: list[int] = []
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    handler = signal.signal(signal.SIGUSR1, lambda number, frame: got.append(number))
    try:
        with signals_blocked():
            signal.raise_signal(signal.SIGUSR1)
            assert not got
        assert got == [signal.SIGUSR1]
    finally:
        signal.signal(signal.SIGUSR1, handler)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
