# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""`Step`: one inference under way."""

from __future__ import annotations

from contextlib import suppress
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from otelkit import semconv
from otelkit._core._guard import guard
from otelkit._core._histogram_cell import HistogramCell
from otelkit._core._timing import Timing
from otelkit.decorators._failures import failed
from otelkit.decorators._spans import ActiveSpan
from otelkit.loops._families import Series
from otelkit.loops._outside import Mark, Recording, outside
from otelkit.loops._step_span import close_span, open_span, tracing

if TYPE_CHECKING:
    from otelkit.loops.recorder import Inference

__all__ = ("Step",)


class Step:
    """
    One inference: a context manager, also with ``async with``; or `start` and `stop`.

    While it runs, instrumented engines inside record nothing of their own.
    What is said of it after its end still counts for it, from any thread: a
    device's clock is often read later. No method raises.

    Attributes:
        batch_size: Items in it; may be set while it runs. None: not recorded.
        running: Whether it was started and has not ended.
    """

    # Defaults of the class, not set anew for each step: that halves what making one costs.
    _mark: Mark | None = None
    _outer: Recording | None = None
    _series: Series | None = None
    _span: ActiveSpan | None = None
    _started = 0.0
    _says_more = False
    running = False

    def __init__(self, recorder: Inference, batch_size: float | None, warmup: bool | None) -> None:
        self._recorder = recorder
        self._warmup = warmup
        self.batch_size = batch_size

    # -- from start to end --------------------------------------------------------
    # Nothing in here catches what it does not know: a signal handler of the program's may raise at any place, as
    # Celery's soft time limit does, and that must reach the program, with no step left under way.

    def start(self) -> Self:
        """Start it."""
        recorder = self._recorder
        if not recorder.on:
            return self
        self._series = series = recorder.series(self._warmup)
        if not series.usable:
            return self
        try:
            self._outer = outside.get()
            self.running = True
            self._mark = Mark(self)
            outside.set(self._mark)
            if recorder.span is not None and tracing():
                self._span = open_span(recorder.span)
            calls = series.calls
            self._started = perf_counter()
            if not next(calls.tick) % 100:
                calls.flush()
        except BaseException as error:
            self.stop(error)
            raise
        return self

    def stop(self, error: BaseException | None = None) -> float:
        """
        End it, as failed if there is an ``error``; a second time does nothing.

        Returns:
            Seconds since `start`; 0.0 if it was not running.
        """
        if not self.running:
            return 0.0
        elapsed = seconds = perf_counter() - self._started
        recorded = not self._started
        series: Any = self._series
        calls = series.calls
        try:
            if error is None:
                if seconds > calls.floor:
                    seconds = calls.capture(seconds)
                recorded = True
                calls.buffer.append(seconds)
                if self.batch_size is not None:
                    self._measure(series.sizes, self.batch_size)
            elif not recorded:
                target, seconds = failed(calls, error, seconds)
                recorded = True
                target.buffer.append(seconds)
            if self._says_more:
                self.ended(elapsed, error)
        finally:
            self.running = False
            if outside.get() is self._mark:  # not so where it ends in another context than it began in
                outside.set(self._outer)
            if not recorded:
                calls.buffer.append(seconds)
            if self._span is not None:
                self._end_span(self._span, error)
        return elapsed

    __enter__ = start

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop(error)

    async def __aenter__(self) -> Self:
        return self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop(error)

    # -- what is said of it -------------------------------------------------------

    def phase(self, name: str) -> Timing:
        """
        Return a context manager that records its block as a phase.

        Args:
            name: One of few: ``preprocess``, ``transfer``, ``compute``, ``postprocess``, ``quantise``, or your own.
        """
        try:
            return Timing(self.series.phase(name))
        except Exception as error:
            guard.failed("a phase of an inference step", error)
            return Timing(None)

    def phase_time(self, name: str, seconds: float) -> None:
        """Record a phase that was measured elsewhere."""
        with guard.shield("a phase of an inference step"):
            self.series.phase(name).observe(seconds)

    def device_time(self, seconds: float) -> None:
        """Record how long the device was busy with it."""
        with guard.shield("the device time of an inference step"):
            self.series.device.observe(seconds)

    def wait_time(self, seconds: float) -> None:
        """Record how long its input was waited for."""
        with guard.shield("the wait of an inference step"):
            self.series.wait.observe(seconds)

    def cache(self, *, hits: int = 0, misses: int = 0) -> None:
        """Count look-ups in a cache: of features, embeddings, results."""
        with guard.shield("the cache of an inference step"):
            if hits:
                self.series.hits.increment(hits)
            if misses:
                self.series.misses.increment(misses)

    def fill(self, items: float, capacity: float) -> None:
        """Record how full the batch was."""
        with guard.shield("the fill of an inference step"):
            self.series.fill.observe(items / capacity)

    def padding(self, padded: float, elements: float) -> None:
        """Record how many of the input's elements were padding."""
        with guard.shield("the padding of an inference step"):
            self.series.padding.observe(padded / elements)

    @property
    def series(self) -> Series:
        """The cells it records to: those it started with."""
        series = self._series
        if series is None:  # said before its start: whether it is warm-up is decided now
            series = self._series = self._recorder.series(self._warmup)
            self._warmup = series.warmup
        return series

    # -- the rest -----------------------------------------------------------------

    def _measure(self, sizes: HistogramCell, size: Any) -> None:
        try:
            known = size >= 0
        except Exception as error:
            guard.failed("the batch size of an inference step", error)
            return
        if known:
            sizes.observe(size)
        else:
            guard.dropped(semconv.INFERENCE_BATCH_SIZE.name, "a negative size")

    def ended(self, seconds: float, error: BaseException | None) -> None:
        """For subclasses that set ``_says_more``: it is recorded, its span is still the current one. Must not raise."""

    def span_attributes(self) -> dict[str, Any]:
        """Return what its span says that was not known at the start."""
        attributes: dict[str, Any] = {semconv.INFERENCE_WARMUP: self.series.warmup}
        if self.batch_size is not None:
            with suppress(TypeError, ValueError):
                attributes[semconv.INFERENCE_BATCH_SIZE_ATTRIBUTE] = int(self.batch_size)
        return attributes

    def _end_span(self, span: ActiveSpan, error: BaseException | None) -> None:
        self._span = None
        with guard.shield("ending the span of an inference step"):
            close_span(span, self.span_attributes(), error)
