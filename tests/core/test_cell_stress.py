# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Nothing lost, nothing doubled, under threads, readers, signals and interrupts; and proof that it would show."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter
from typing import Any

import pytest
from support.metrics import forget, fresh, points, total
from support.stress import Accounts, Interrupted, interrupt, run_threads, switching_every

import otelkit
from otelkit._core._call_cell import CallCell
from otelkit._core._cell import ticked
from otelkit.instruments.registry import default_registry

WRITERS = 8


class Odd(Exception):
    """What every tenth call raises."""


def _record(accounts: Accounts, calls: int) -> Callable[[], None]:
    """Return one writer: what a compiled wrapper does, on the cell of ``accounts``."""
    cell = accounts.cell

    def work() -> None:
        start = perf_counter()
        for _ in range(calls):
            if not next(cell.tick) % 100:
                cell.flush()
            cell.buffer.append(perf_counter() - start)  # a thread may be switched between the look-up and the append

    return work


def _threads_account(accounts: Accounts, calls: int = 4_000) -> tuple[dict[str, float], list[float]]:
    """Let 8 writers and two readers at it; return the final account and the sum of each reader's deltas."""
    writing = threading.Event()
    key = accounts.store.add_reader()
    sums = [0.0, 0.0]

    def reader(place: int, reader_key: int | None) -> None:
        last = 0.0
        while not writing.is_set():
            now = accounts.read(reader_key)["ended"]
            sums[place] += now - last if now >= last else math.nan  # a total that goes back spoils the sum
            last = now
        sums[place] += accounts.read(reader_key)["ended"] - last

    readers = [threading.Thread(target=reader, args=(0, None)), threading.Thread(target=reader, args=(1, key))]
    for thread in readers:
        thread.start()
    try:
        run_threads(*[_record(accounts, calls) for _ in range(WRITERS)])
    finally:
        writing.set()
        for thread in readers:
            thread.join(30)
    return accounts.read(), sums


@pytest.mark.parametrize("interval_s", [1e-6, 5e-3])
def test_threads_and_two_readers_lose_and_double_nothing(interval_s: float) -> None:
    """Calls equal what ended, and each reader's differences add up to the same."""
    accounts = Accounts()
    with switching_every(interval_s):
        account, sums = _threads_account(accounts)
    expected = WRITERS * 4_000
    assert account["calls"] == account["ended"] == expected
    assert account["active"] == 0
    assert sums == [expected, expected]


@pytest.mark.parametrize("interval_s", [1e-6, 5e-3])
def test_decorated_calls_balance_with_label_churn_and_failures(interval_s: float) -> None:
    """Eight threads, labels that come and go beyond the limit, every tenth call failing: all four metrics agree."""
    name = fresh("churn")

    @otelkit.metered(name=name, labels=["tenant"])
    def call(tenant: str, index: int) -> None:
        if index % 10 == 0:
            raise Odd

    def work(writer: int) -> Callable[[], None]:
        def run() -> None:
            for index in range(600):
                with suppress(Odd):
                    call(f"{writer}-{index % 300}", index)

        return run

    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            default_registry.snapshot()

    reader = threading.Thread(target=read)
    with switching_every(interval_s):
        reader.start()
        try:
            run_threads(*[work(writer) for writer in range(WRITERS)])
        finally:
            stop.set()
            reader.join(30)
    assert total(f"{name}.calls") == WRITERS * 600
    assert total(f"{name}.duration") == WRITERS * 600
    assert total(f"{name}.errors") == WRITERS * 60
    assert total(f"{name}.active_calls") == 0
    assert points(f"{name}.calls", {"otel.metric.overflow": "true"})
    forget(name)


def test_first_failures_of_many_threads_at_once_are_all_counted() -> None:
    """The failure cells of a call are made once, whoever comes first."""
    for _ in range(60):
        accounts = Accounts()
        barrier = threading.Barrier(WRITERS)

        def fail(accounts: Accounts = accounts, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            accounts.cell.failure("Odd").observe(0.1)

        with switching_every(1e-6):
            run_threads(*[fail] * WRITERS)
        assert accounts.read()["errors"] == WRITERS


def test_signal_handlers_that_record_and_read_reenter_safely() -> None:
    """A handler that records into, and reads, the very cell it interrupted loses nothing."""
    accounts = Accounts()
    handled = 0
    reading = False

    def handler(*_: object) -> None:
        nonlocal handled, reading
        handled += 1
        _record(accounts, 3)()
        if handled % 64 == 0 and not reading:
            reading = True  # a reader waits a tenth of a second for a folder, here for the one below it
            accounts.read()
            reading = False

    before = signal.signal(signal.SIGALRM, handler)
    made = 0
    try:
        signal.setitimer(signal.ITIMER_REAL, 2e-4, 2e-4)
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            _record(accounts, 500)()
            made += 500
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert handled > 100
    account = accounts.read()
    assert account["calls"] == account["ended"] == made + 3 * handled


def test_interrupts_anywhere_leave_the_accounts_of_a_wrapper_exact() -> None:
    """An exception that a signal handler raises, in calls that succeed and in calls that fail, costs no record."""
    name = fresh("interrupted")

    @otelkit.metered(name=name, ignore=KeyError)
    def call(index: int) -> int:
        if index % 3 == 1:
            raise Odd
        if index % 3 == 2:
            raise KeyError
        return index

    index = 0

    def work() -> None:
        nonlocal index
        index += 1
        with suppress(Odd, KeyError):
            call(index)

    hits = interrupt(work, 8_000)
    assert hits == 8_000
    calls = total(f"{name}.calls")
    assert calls > 1_000
    assert total(f"{name}.duration") == calls
    assert total(f"{name}.active_calls") == 0
    assert total(f"{name}.errors") == total(f"{name}.duration") - points(f"{name}.duration")[0].count


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")  # an interrupt may land before the first step
def test_interrupts_leave_generators_and_coroutines_balanced() -> None:
    """The same for generators, coroutines and results judged to be errors."""
    name = fresh("interrupted")

    @otelkit.metered(name=f"{name}.generator")
    def items(count: int) -> Any:
        yield from range(count)

    @otelkit.metered(name=f"{name}.coroutine")
    async def compute(value: int) -> int:
        return value

    @otelkit.metered(name=f"{name}.judged", record_error_if=lambda result: result % 2)
    def judged(value: int) -> int:
        return value

    def drive(coroutine: Any) -> None:
        with suppress(StopIteration):
            coroutine.send(None)

    value = 0

    def work() -> None:
        nonlocal value
        value += 1
        for _ in items(2):
            pass
        generator = items(3)
        next(generator)
        generator.close()
        drive(compute(value))
        judged(value)

    interrupt(work, 3_000, 4e-5)
    for kind in ("generator", "coroutine", "judged"):
        calls = total(f"{name}.{kind}.calls")
        assert calls > 100
        assert total(f"{name}.{kind}.duration") == calls, kind
        assert total(f"{name}.{kind}.active_calls") == 0, kind


def test_interrupts_of_folding_and_reading_leak_no_token() -> None:
    """A reader that is interrupted anywhere leaves the cell readable, and nothing is counted twice."""
    accounts = Accounts()
    made = 0
    key = accounts.store.add_reader()

    def work() -> None:
        nonlocal made
        for _ in range(20):
            made += 1
            accounts.cell.buffer.append(0.01)
        accounts.cell.flush()
        accounts.cell.point(0, key)
        accounts.cell.settle()

    interrupt(work, 4_000, 5e-5)
    assert accounts.cell.token == [None]
    # An interrupt may land between the count of this test and the append.
    assert 0 <= made - accounts.read()["ended"] <= 4_000
    ended = accounts.read()["ended"]
    assert sum(point.count for point in _durations(accounts)) == ended == ticks_free(accounts, ended)


def _durations(accounts: Accounts) -> list[Any]:
    return [point for metric, found in accounts.store.snapshot() if metric.name == "stress.duration" for point in found]


def ticks_free(accounts: Accounts, ended: float) -> float:
    """Return ``ended`` if nothing ticked: appending alone starts no call."""
    return ended if ticked(accounts.cell.tick) == 0 else -1


# -- the tests of the tests: each broken cell must be caught by the checks above --------------------


class SwappingCell(CallCell):
    """Swaps the list for a new one, and loses what a writer appends to the old one."""

    __slots__ = ()

    def drain(self) -> None:
        values, self.buffer = self.buffer, []
        if values:
            self.state = self.family.shape.fold(self.state, list(values), sum(values, 0.0))


class TokenlessCell(CallCell):
    """Slices and deletes without the token: two folders count the same items twice."""

    __slots__ = ()

    def flush(self) -> None:
        self.drain()

    def settle(self) -> None:
        self.drain()


class LockingCell(CallCell):
    """Takes a lock where the real one takes a token: an interrupt between ``acquire`` and ``try`` leaks it."""

    __slots__ = ("lock",)

    def reset(self) -> None:
        self.lock = threading.Lock()
        super().reset()

    def flush(self) -> None:
        if not self.lock.acquire(False):
            return
        try:
            self.drain()
        finally:
            self.lock.release()


@pytest.mark.parametrize("broken", [SwappingCell, TokenlessCell])
def test_checker_catches_cells_that_lose_or_double_under_threads(broken: type[CallCell]) -> None:
    """A cell that swaps its list, or folds without the token, does not survive the check of the first test."""
    with switching_every(1e-6):
        for _ in range(40):
            accounts = Accounts(broken)
            account, sums = _threads_account(accounts)
            expected = WRITERS * 4_000
            if not (account["calls"] == account["ended"] == expected and sums == [expected, expected]):
                return
    pytest.fail(f"{broken.__name__} was not caught")


def test_checker_catches_a_lock_that_interrupts_leak() -> None:
    """``acquire(False)`` and ``try``/``finally`` leave the lock taken, which a token does not."""
    accounts = Accounts(LockingCell)
    cell: Any = accounts.cell

    def leaks(round_: int) -> bool:
        interrupt(cell.flush, 50)
        return cell.lock.locked()

    assert any(leaks(round_) for round_ in range(100)), "the lock never leaked"


def test_checker_catches_a_capture_inside_the_append() -> None:
    """With the capture inside the append expression, after ``ok``, an interrupt loses calls."""
    accounts = Accounts()
    cell = accounts.cell

    def broken() -> None:
        ok = False
        start = perf_counter()
        try:
            if not next(cell.tick) % 100:
                cell.flush()
            ok = True
            cell.buffer.append(cell.capture(perf_counter() - start))
        except BaseException:
            if not ok:
                cell.failure("Interrupted").observe(0.0)
            raise

    def caught() -> bool:
        interrupt(broken, 100)
        account = accounts.read()
        return account["calls"] != account["ended"]

    assert any(caught() for _ in range(100)), "no call was lost"


def test_checker_catches_a_wrapper_that_fails_to_guard_its_handler() -> None:
    """A handler that an interrupt can leave before the failure is recorded loses calls."""
    accounts = Accounts()
    cell = accounts.cell

    def broken() -> None:
        try:
            next(cell.tick)
            raise Odd
        except BaseException as error:
            cell.failure(type(error).__name__).observe(0.0)
            raise

    def work() -> None:
        with suppress(Odd):
            broken()

    def caught() -> bool:
        interrupt(work, 100)
        account = accounts.read()
        return account["calls"] != account["ended"]

    assert any(caught() for _ in range(100)), "no call was lost"


def test_interrupted_is_no_exception_that_guards_swallow() -> None:
    """The interrupt of these tests is, like KeyboardInterrupt, no `Exception`."""
    assert not issubclass(Interrupted, Exception)
