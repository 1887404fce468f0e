# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A worker that waits for a lock, and whose wait SIGTERM does not end, ends all the same and delivers."""

from __future__ import annotations

from pathlib import Path

from support.otlp_receiver import OtlpReceiver
from support.program import Program

_PROGRAM = """
import multiprocessing, os, signal, threading, time
import otelkit

def terminate_from_a_thread():
    # Its handler in C runs in this thread, so nothing takes the main thread out of its wait.
    time.sleep(0.3)
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

def work():
    otelkit.increment("t.calls")
    threading.Thread(target=terminate_from_a_thread, daemon=True).start()
    multiprocessing.get_context("fork").Semaphore(0).acquire()

if __name__ == "__main__":
    otelkit.counter("t.calls")
    otelkit.configure(file=os.devnull)
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join(40)
    code = child.exitcode
    child.kill()
    assert code == -15, code
"""


def test_a_worker_that_waits_for_a_lock_hears_of_its_end(tmp_path: Path) -> None:
    """As `Pool.terminate` now and then makes it wait."""
    with OtlpReceiver() as receiver:
        error = Program(tmp_path, _PROGRAM).run(receiver)
        assert receiver.total("t.calls") == 1, error
