# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Jobs: in parallel, with one deadline for all."""

from __future__ import annotations

import _thread
import threading
import time
from functools import partial

import pytest

from otelkit.pipeline import deadline
from otelkit.pipeline.deadline import Job, Jobs


def _raise(_: float) -> None:
    raise OSError("broken")


def test_failed_and_late_jobs_are_named() -> None:
    """False, an exception and lateness are failures; anything else is not."""
    never = threading.Event()
    jobs = Jobs([Job("good", lambda _: None), Job("bad", lambda _: False), Job("bad", _raise)], 0.1)
    never_ends = Jobs([Job("late", lambda _: never.wait())], 0.1)
    assert jobs.wait(5) == ["bad", "bad"]
    assert never_ends.wait(5) == ["late"]
    began = time.monotonic()
    assert never_ends.wait(5) == ["late"]
    assert time.monotonic() - began < 0.05
    never.set()


def test_jobs_run_side_by_side() -> None:
    """Each meets the others: none waits for another's end."""
    meeting = threading.Barrier(3)
    assert Jobs([Job("same name", lambda _: meeting.wait(5) >= 0)] * 3, 5).wait(5) == []


def test_reserve_serves_when_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """As at the end of the interpreter from Python 3.12 on; without reserve a job runs in the caller's thread."""
    deadline._reserve.have(2)

    def refuse(*_: object) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    where: dict[str, str] = {}
    meeting = threading.Barrier(2)

    def meet(name: str, _: float) -> bool:
        where[name] = threading.current_thread().name
        return meeting.wait(5) >= 0

    assert Jobs([Job(name, partial(meet, name)) for name in ("one", "two")], 5).wait(5) == []
    assert set(where.values()) == {"otelkit reserve"}
    assert Jobs([Job("three", lambda _: where.update(three=threading.current_thread().name))], 5).wait(5) == []
    assert where["three"] == threading.current_thread().name
