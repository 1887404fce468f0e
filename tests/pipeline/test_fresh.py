# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What a child inherits with locks that a thread of the parent's held at the fork."""

from __future__ import annotations

import threading

import requests
from opentelemetry.util._once import Once
from support.otlp_receiver import OtlpReceiver

from otelkit.pipeline.fresh import renew_locks, renew_session


class _Thing:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.reentrant = threading.RLock()
        self.once = Once()
        self.over = threading.Event()
        self.name = "kept"


def _hold(*locks: threading.Lock) -> None:
    """Hold locks in a thread that is gone, as one of the parent's is in the child."""
    thread = threading.Thread(target=lambda: [lock.acquire() for lock in locks])
    thread.start()
    thread.join()


def test_locks_are_free_whatever_their_kind() -> None:
    """Locks, re-entrant ones, those within a Once and within an event, which keeps its state."""
    thing = _Thing()
    thing.over.set()
    _hold(thing.lock, thing.reentrant, thing.once._lock, thing.over._cond)  # type: ignore[arg-type]
    renew_locks(thing)
    assert thing.lock.acquire(blocking=False)
    assert thing.reentrant.acquire(blocking=False)
    assert thing.once.do_once(lambda: None)
    assert thing.over.wait(0)
    thing.over.clear()
    assert thing.name == "kept"


def test_an_event_that_a_thread_waits_for_stays() -> None:
    """The SDK's own hook may have started a thread that waits for it already."""
    thing = _Thing()
    over = thing.over
    thing.thread = threading.Thread(target=over.wait)  # type: ignore[attr-defined]
    thing.thread.start()  # type: ignore[attr-defined]
    renew_locks(thing)
    assert thing.over is over
    over.set()


def test_a_session_is_usable_whatever_was_held() -> None:
    """The jar of cookies has a lock, which each answer takes; cookies stay."""
    with OtlpReceiver() as receiver:
        session = requests.Session()
        session.cookies.set("sticky", "here")
        session.post(f"{receiver.endpoint}/v1/traces", b"")
        adapter = session.get_adapter(receiver.endpoint)
        _hold(session.cookies._cookies_lock)  # type: ignore[attr-defined]
        renew_session(session)
        answer: list[int] = []
        thread = threading.Thread(
            target=lambda: answer.append(session.post(f"{receiver.endpoint}/v1/traces", b"").status_code), daemon=True
        )
        thread.start()
        thread.join(10)
        assert answer == [200]
        assert session.get_adapter(receiver.endpoint) is not adapter
        assert session.cookies.get("sticky") == "here"
        assert receiver.requests[-1].headers["cookie"] == "sticky=here"
        adapter.close()
        session.close()
