# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""One look at a part of the machine serves all its instruments, and failures stay inside."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from otelkit import semconv
from otelkit._core._guard import guard
from otelkit.devices._part import KEEP_S, Reading, Sampled, quietly


class Thing:
    """A part that counts how often it is built, read and closed."""

    metrics = (semconv.SYSTEM_UPTIME,)
    built = read_times = closed = 0
    broken = False

    def __init__(self) -> None:
        Thing.built += 1

    def read(self) -> Reading:
        Thing.read_times += 1
        if Thing.broken:
            raise RuntimeError("no")
        return {semconv.SYSTEM_UPTIME: [(Thing.read_times, {})]}

    def close(self) -> None:
        Thing.closed += 1


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    Thing.built = Thing.read_times = Thing.closed = 0
    Thing.broken = False
    guard.reset()
    yield
    guard.reset()


def test_all_who_ask_within_a_collection_share_one_reading() -> None:
    """A second question within KEEP_S is answered from memory, a later one by a new reading of the same part."""
    now = [100.0]
    sampled = Sampled("thing", Thing, clock=lambda: now[0])
    assert sampled() is sampled()
    now[0] += KEEP_S
    assert sampled()[semconv.SYSTEM_UPTIME] == [(2, {})]
    assert (Thing.built, Thing.read_times) == (1, 2)


def test_threads_that_ask_at_once_share_one_reading() -> None:
    """Eight threads, of which each could be the first, cause one reading."""
    sampled = Sampled("thing", Thing)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: sampled()[semconv.SYSTEM_UPTIME], range(64)))
    assert answers == [[(1, {})]] * 64
    assert (Thing.built, Thing.read_times) == (1, 1)


def test_closing_lets_the_part_go_and_the_next_question_builds_it_anew() -> None:
    """After close() the part has been closed once, and asking again makes another."""
    sampled = Sampled("thing", Thing)
    sampled()
    sampled.close()
    sampled()
    assert (Thing.built, Thing.closed) == (2, 1)


def test_a_part_that_fails_yields_nothing_old_and_is_counted() -> None:
    """An exception empties the reading, instead of repeating the one before, and goes to the guard."""
    now = [0.0]
    sampled = Sampled("thing", Thing, clock=lambda: now[0])
    assert sampled()
    Thing.broken, now[0] = True, 1.0
    assert sampled() == {}
    assert guard.tallies() == [("failures", (("otelkit.where", "devices.thing"), ("error.type", "RuntimeError")), 1)]


@pytest.mark.parametrize("error", [psutil.AccessDenied(1), OSError("gone"), NotImplementedError()])
def test_what_the_platform_refuses_is_counted_and_not_logged(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Refusals come back at every collection: they are a number, not a line."""
    with caplog.at_level(logging.DEBUG), quietly("here"):
        raise error
    labels = (("otelkit.where", "here"), ("error.type", type(error).__name__))
    assert guard.tallies() == [("failures", labels, 1)]
    assert caplog.records == []


def test_any_other_error_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """A bug of ours is said, but neither raised nor repeated."""
    for _ in range(3):
        with quietly("there"):
            raise ZeroDivisionError
    assert len(caplog.records) == 1
