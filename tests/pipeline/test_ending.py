# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Whatever way a process ends, what it recorded arrives; and its end is not held up."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from support import otlp_receiver
from support.otlp_receiver import OtlpReceiver
from support.program import Program

_RECORDING = """
import os, signal, sys, threading, time
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from opentelemetry import trace
import otelkit

calls = otelkit.counter("t.calls")

def record(_=None):
    calls.increment()
    with trace.get_tracer("application").start_as_current_span("work"):
        pass

def sleep(_=None):
    record()
    open(os.environ["READY"], "w").close()
    time.sleep(60)

otelkit.configure(file=os.devnull)
"""

_ENDS = {
    "return": ("record()", 0),
    "sys.exit": ("record(); sys.exit(3)", 3),
    "exception": ("record(); raise RuntimeError", 1),
    "thread": ("threading.Thread(target=record).start()", 0),
    "SystemExit in a thread": ("record(); threading.Thread(target=sys.exit).start()", 0),
    "SIGINT": ("record(); os.kill(os.getpid(), signal.SIGINT); time.sleep(60)", -signal.SIGINT),
    "SIGTERM": ("record(); os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)", -signal.SIGTERM),
    "SIGTERM, then a normal end": ("record(); os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    "SIGTERM in a thread": (
        "record(); threading.Thread(target=os.kill, args=(os.getpid(), 15)).start(); time.sleep(60)",
        -signal.SIGTERM,
    ),
    "handler that exits": (
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5)); record(); os.kill(os.getpid(), 15); time.sleep(60)",
        5,
    ),
    "handler that shuts down": (
        "signal.signal(signal.SIGTERM, lambda *_: otelkit.shutdown()); record(); os.kill(os.getpid(), 15)",
        0,
    ),
    "flush, then os._exit": ("record(); otelkit.flush(); os._exit(4)", 4),
    "forked child": ("pid = os.fork()\nif pid: os.waitpid(pid, 0)\nelse: record()", 0),
    "forked child, SIGTERM": (
        "pid = os.fork()\nif pid: os.waitpid(pid, 0)\nelse: record(); os.kill(os.getpid(), 15); time.sleep(60)",
        0,
    ),
}


@pytest.mark.parametrize("end", _ENDS)
def test_everything_is_delivered(tmp_path: Path, end: str) -> None:
    """Metrics and spans arrive, and the exit status is what it is without otelkit."""
    source, status = _ENDS[end]
    with OtlpReceiver() as receiver:
        program = Program(tmp_path, _RECORDING + source)
        code, error = program.end(program.start(receiver))
        assert code == status, error
        assert receiver.total("t.calls") == 1, error
        assert len(receiver.spans()) == 1


_POOLS = {
    "Process": "p = context.Process(target=record); p.start(); p.join()",
    "daemon": "p = context.Process(target=sleep, daemon=True); p.start(); wait()",
    "terminated": (
        "p = context.Process(target=sleep); p.start(); wait(); p.terminate(); p.join(); assert p.exitcode == -15"
    ),
    "Pool": "with context.Pool(2) as pool: pool.map(record, range(5), chunksize=1); pool.close(); pool.join()",
    "Pool, terminated": "with context.Pool(2) as pool: pool.map(record, range(5), chunksize=1)",
    "Pool, recycled": (
        "with context.Pool(2, maxtasksperchild=1) as pool: pool.map(record, range(5), chunksize=1); "
        "pool.close(); pool.join()"
    ),
    "ProcessPoolExecutor": "with ProcessPoolExecutor(2, mp_context=context) as pool: list(pool.map(record, range(5)))",
}


@pytest.mark.parametrize("pool", _POOLS)
def test_pool_processes_deliver(tmp_path: Path, pool: str) -> None:
    """
    Children of multiprocessing leave by os._exit, past atexit; what they recorded arrives all the same.

    More of them, with the other ways of starting one: tests/servers/test_matrix.py.
    """
    main = f"""
def wait():
    while not os.path.exists(os.environ["READY"]):
        time.sleep(0.01)

if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    {_POOLS[pool]}
"""
    with OtlpReceiver() as receiver:
        error = Program(tmp_path, _RECORDING + main).run(receiver, READY=str(tmp_path / "ready"))
        expected = 5 if "ool" in pool else 1
        assert receiver.total("t.calls") == expected, error
        assert len(receiver.spans()) == expected, error


def test_a_child_that_configures_itself(tmp_path: Path) -> None:
    """Configured in the child's own function, when its start is long over."""
    main = """
def work():
    otelkit.configure(file=os.devnull)
    record()

if __name__ == "__main__":
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join()
"""
    source = _RECORDING.replace("otelkit.configure(file=os.devnull)\n", "") + main
    with OtlpReceiver() as receiver:
        assert Program(tmp_path, source).run(receiver) == ""
        assert receiver.total("t.calls") == 1


@pytest.mark.parametrize("end", ["return", "SIGTERM", "Pool"])
def test_the_end_is_not_held_up(tmp_path: Path, end: str) -> None:
    """With a receiver that never answers, shutdown_timeout_s is all it takes, of two children as of one."""
    source = (
        _ENDS[end][0]
        if end in _ENDS
        else f"""
if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    {_POOLS[end]}
"""
    )
    with OtlpReceiver() as receiver:
        receiver.always = otlp_receiver.NEVER
        program = Program(tmp_path, _RECORDING + source)
        began = time.monotonic()
        program.end(program.start(receiver, OTELKIT_SHUTDOWN_TIMEOUT_S="1"))
        # The children of a pool end side by side, their parent after them.
        assert 1 < time.monotonic() - began < (4.5 if end == "Pool" else 3)


def test_flush_and_shutdown_in_a_signal_handler(tmp_path: Path) -> None:
    """At any moment of a flush or shutdown that the handler interrupts, of which it may hold a lock."""
    source = """
import random

def handler(*_):
    otelkit.flush(5) if flushing else otelkit.shutdown(5)

def interrupt_soon():
    signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0001, 0.004))

signal.signal(signal.SIGALRM, handler)
flushing = True
for _ in range(200):
    record()
    interrupt_soon()
    assert otelkit.flush(5)
flushing = False
interrupt_soon()
assert otelkit.shutdown(5)
time.sleep(0.01)
assert otelkit.shutdown(5)
"""
    with OtlpReceiver() as receiver:
        assert Program(tmp_path, _RECORDING + source).run(receiver, timeout_s=40) == ""
        assert receiver.total("t.calls") == 200
        assert len(receiver.spans()) == 200


def test_sigterm_is_left_alone_where_it_is_not_wanted(tmp_path: Path) -> None:
    """Opted out of, in a thread, and where the program has a handler or ignores the signal."""
    source = """
import os, signal, threading
import otelkit

def handler(*_):
    pass

def configured(**arguments):
    otelkit.configure(file=os.devnull, metrics_exporters=["none"], traces_exporters=["none"], **arguments)
    return signal.getsignal(signal.SIGTERM)

assert configured(handle_sigterm=False) is signal.SIG_DFL
thread = threading.Thread(target=configured)
thread.start()
thread.join()
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
signal.signal(signal.SIGTERM, signal.SIG_IGN)
assert configured() is signal.SIG_IGN
signal.signal(signal.SIGTERM, handler)
assert configured() is handler
signal.signal(signal.SIGTERM, signal.SIG_DFL)
assert configured() not in (signal.SIG_DFL, handler)
"""
    with OtlpReceiver() as receiver:
        assert Program(tmp_path, source).run(receiver) == ""


def test_a_child_that_is_terminated_while_it_begins_ends(tmp_path: Path) -> None:
    """Python forgets signals that come before a forked child is set up; ours must come through all the same."""
    main = """
context = multiprocessing.get_context("fork")
for _ in range(30):
    child = context.Process(target=sleep)
    child.start()
    child.terminate()
    child.join(30)
    assert child.exitcode == -15, child.exitcode
"""
    with OtlpReceiver() as receiver:
        Program(tmp_path, _RECORDING + main).run(receiver, READY=str(tmp_path / "ready"))
