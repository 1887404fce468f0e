# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""`track`: any loop, measured: waiting for the next item against working on it."""

from __future__ import annotations

import operator
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from time import perf_counter
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from otelkit._core._guard import guard
from otelkit.decorators._failures import failed
from otelkit.exceptions import DeclarationError
from otelkit.loops._bar import bars, watched
from otelkit.loops._families import Series
from otelkit.loops.recorder import Inference, inference_of

__all__ = ("Track", "track")

T = TypeVar("T")
Size = float | Callable[[Any], float]


def track(
    iterable: Iterable[T] | AsyncIterable[T],
    *,
    name: str = "loop",
    batch_size: Size | None = None,
    total: int | None = None,
    warmup: int = 0,
    bar: bool | None = None,
) -> Track[T]:
    """
    Measure a loop: ``for batch in otelkit.track(loader, name="train", batch_size=len): ...``; ``async for`` too.

    Each iteration is recorded as a step of the ``inference.*`` vocabulary with ``inference.engine="loop"`` and
    ``name`` as its model: the work as duration, and how long the item was waited for as ``inference.wait_time``.
    Engines inside record their own series beside it. When a terminal or notebook looks on there is a progress bar.

    A ``for`` statement does not tell what it runs over that its body has failed: to count such an error, write
    ``with otelkit.track(...) as loop: for batch in loop: ...``, or say ``loop.failed(error)`` where you handle it.
    What the iterable itself raises is counted either way.

    Args:
        iterable: Anything to iterate over; without a length there is no ETA.
        name: Of low cardinality.
        batch_size: Items in each element: a number, or a callable such as ``len``; None: each is one item.
        total: Number of elements, where the iterable has no length.
        warmup: The first so many iterations are warm-up.
        bar: Whether to show the bar; None: if somebody looks on.

    Raises:
        DeclarationError: Not iterable, or a batch size that is neither number nor callable.

    Cost: about two microseconds an iteration, the bar ten times a second.
    """
    where = f"otelkit.track(name={name!r})"
    if (
        not hasattr(iterable, "__iter__")
        and not hasattr(iterable, "__aiter__")
        and not hasattr(iterable, "__getitem__")
    ):
        raise DeclarationError("something to iterate over", iterable, where)
    number = isinstance(batch_size, (int, float)) and batch_size >= 0
    if batch_size is not None and not callable(batch_size) and not number:
        remedy = "Give the number of items in each element, or a callable such as len."
        raise DeclarationError("batch_size as a number or a callable", batch_size, where, remedy)
    recorder = inference_of("loop", name, "iterate", warmup_steps=0, spans=False)
    return Track(iterable, recorder, batch_size, total, warmup, bar)


class Track(Generic[T]):
    """
    A loop under way, and what it came to. For one loop at a time, in one thread or task.

    Attributes:
        name: Its name.
        total: Number of elements, None if not known.
        iterations, items, errors: How many there were so far.
        wait_s, work_s: Seconds waited for the iterable, and seconds between its elements.
    """

    def __init__(
        self, iterable: Any, recorder: Inference, size: Size | None, total: int | None, warmup: int, bar: bool | None
    ) -> None:
        self.name = recorder.model
        self.total = total if total is not None else _length(iterable)
        self.unit = "it" if size is None else "items"
        self.iterations = 0
        self.items = 0.0
        self.errors = 0
        self.wait_s = 0.0
        self.work_s = 0.0
        self.started = 0.0
        self._iterable = iterable
        self._recorder = recorder
        self._ask = size if callable(size) else None
        self._size: Any = 1 if size is None else size
        self._items: float | None = None
        self._warmup = warmup
        self._bar = bar
        self._entered = False
        self._series: Series | None = None
        self._began = 0.0
        self._pending: float | None = None
        self._failure: BaseException | None = None

    def __len__(self) -> int:
        if self.total is None:
            raise TypeError(f"the length of {self!r} is not known")
        return self.total

    def __length_hint__(self) -> int:
        return self.total if self.total is not None else operator.length_hint(self._iterable)

    def __repr__(self) -> str:
        return f"<otelkit track {self.name!r}: {self.iterations} of {'?' if self.total is None else self.total}>"

    def __iter__(self) -> Iterator[T]:
        if self._is_plain():
            return iter(self._iterable)
        return _Steps(self, iter(self._iterable))

    def __aiter__(self) -> AsyncIterator[T]:
        if self._is_plain():
            return aiter(self._iterable)
        return _AsyncSteps(self, aiter(self._iterable))

    def __enter__(self) -> Self:
        self._entered = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._entered = False
        seconds, self._pending = self._pending, None
        if seconds is not None:  # the iteration that was left in the middle
            self.worked(seconds, error)
            self.finish()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def failed(self, error: BaseException) -> None:
        """Count the iteration under way as failed; for errors that the loop's body handles. Never raises."""
        self._failure = error

    # -- what its iterators say ---------------------------------------------------

    def begin(self) -> None:
        """The loop begins."""
        self.started = perf_counter()
        bars.open(self, self._bar)

    def received(self, item: Any, seconds: float) -> None:
        """An item came after ``seconds``; the iteration begins."""
        self._pending = None
        self.wait_s += seconds
        self._items = self._size if self._ask is None else self._asked(item)
        series = self._recorder.series(self.iterations < self._warmup)
        if series.usable:
            series.wait.observe(seconds)
            if not next(series.calls.tick) % 100:
                series.calls.flush()
            self._series = series

    def worked(self, seconds: float, error: BaseException | None = None) -> None:
        """The iteration is over after ``seconds``."""
        error = error or self._failure
        self._failure = None
        self.work_s += seconds
        self.iterations += 1
        if error is not None:
            self.errors += 1
        elif self._items is not None:
            self.items += self._items
        series, self._series = self._series, None
        if series is not None:
            self._record(series, seconds, error)
        if bars.shown:
            bars.refresh()

    def left(self, seconds: float) -> None:
        """The iteration is over, and so is the loop: nobody asks for another item."""
        if self._entered:
            self._pending = seconds  # __exit__ will know how it went
            return
        self.worked(seconds)
        self.finish()

    def source_failed(self, error: BaseException, seconds: float) -> None:
        """The iterable raised instead of giving an item."""
        with guard.shield("otelkit.track"):
            self.errors += 1
            self.wait_s += seconds
            calls = self._recorder.series(self.iterations < self._warmup).calls
            if not next(calls.tick) % 100:
                calls.flush()
            target, seconds = failed(calls, error, seconds)
            target.buffer.append(seconds)

    def finish(self) -> None:
        """The loop is over."""
        bars.close(self)

    def _record(self, series: Series, seconds: float, error: BaseException | None) -> None:
        calls = series.calls
        if error is not None:
            target, seconds = failed(calls, error, seconds)
            target.buffer.append(seconds)
            return
        if seconds > calls.floor:
            seconds = calls.capture(seconds)
        calls.buffer.append(seconds)
        if self._items is not None:
            series.sizes.observe(self._items)

    def _is_plain(self) -> bool:
        """Tell whether there is nothing to do: otelkit is switched off, and no bar to be drawn."""
        return not self._recorder.on and not (watched() if self._bar is None else self._bar)

    def _asked(self, item: Any) -> float | None:
        try:
            found = self._ask(item)  # type: ignore[misc]
            return found if found >= 0 else None
        except Exception as error:
            guard.failed("batch_size of otelkit.track", error)
            return None


class _Steps(Generic[T]):
    """The loop's iterator. Its end by ``break`` or an exception shows in its own: nothing else refers to it."""

    def __init__(self, loop: Track[T], source: Any) -> None:
        self._loop = loop
        self._source = source
        self._got = 0.0
        loop.begin()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        asked = perf_counter()
        if self._got:
            self._loop.worked(asked - self._got)
            self._got = 0.0
        try:
            item = next(self._source)
        except StopIteration:
            self._loop.finish()
            raise
        except BaseException as error:
            self._fail(error, asked)
            raise
        self._loop.received(item, perf_counter() - asked)
        self._got = perf_counter()
        return item

    def _fail(self, error: BaseException, asked: float) -> None:
        self._loop.source_failed(error, perf_counter() - asked)
        self._loop.finish()

    def __del__(self) -> None:
        try:
            if self._got:
                self._loop.left(perf_counter() - self._got)
        except Exception:  # noqa: S110 - Python is ending, and has taken away what this needs
            pass


class _AsyncSteps(_Steps[T]):
    """The same for ``async for``."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        asked = perf_counter()
        if self._got:
            self._loop.worked(asked - self._got)
            self._got = 0.0
        try:
            item = await anext(self._source)
        except StopAsyncIteration:
            self._loop.finish()
            raise
        except BaseException as error:
            self._fail(error, asked)
            raise
        self._loop.received(item, perf_counter() - asked)
        self._got = perf_counter()
        return item


def _length(iterable: Any) -> int | None:
    try:
        return len(iterable)
    except Exception:
        return None
