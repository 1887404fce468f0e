# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Device time of steps from CUDA events, without ever waiting for the device.

A step is marked by two events on the stream that it runs in. When the device
has passed them is asked later: by the thread that starts the next step, and by
whoever collects metrics. A question that the device cannot answer yet is asked
again next time.

Asking is an error while any thread captures a CUDA graph in the default mode,
and breaks that capture, unless the asking thread is exempt
(cudaThreadExchangeStreamCaptureMode). The thread that starts a step is known
not to capture; the collecting one exempts itself, or does not ask.
"""

from __future__ import annotations

import atexit
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from otelkit import semconv
from otelkit._core._guard import guard
from otelkit.instruments.registry import default_registry
from otelkit.loops import Step

__all__ = ("DeviceTimes",)

_PENDING = 1_000
"""Steps whose device time is not known yet; beyond that the oldest go."""

_POOLED = 64
"""Pairs of events kept for use again."""

Pair = tuple[Any, Any]


class DeviceTimes:
    """
    The steps that a device works on. Thread-safe.

    Args:
        cuda: ``torch.cuda``, or what behaves like it.
        runtime: Returns the bindings of CUDA's runtime, or None without them.
    """

    def __init__(self, cuda: Any, runtime: Callable[[], Any] | None = None) -> None:
        self._cuda = cuda
        self._runtime = runtime or cuda_runtime
        self._pending: deque[tuple[Step, Pair, int]] = deque()
        self._pools: dict[int, deque[Pair]] = {}
        self._inherited: object = None

    def start(self) -> None:
        """Ask at each collection, and at the program's end."""
        default_registry.add_source(self.collect)
        atexit.register(self.finish)

    def stop(self) -> None:
        """Ask no more."""
        atexit.unregister(self.finish)
        default_registry.remove_source(self.collect)

    def after_fork(self) -> None:
        """Leave the parent's events alone in a child: not even freeing them is allowed there."""
        self._inherited = (self._inherited, self._pending, self._pools)
        self._pending, self._pools = deque(), {}

    def begin(self, device: Any) -> Callable[[Step], None] | None:
        """
        Mark the beginning of a step on ``device``'s current stream.

        Returns:
            What marks the step's end; None if it cannot be marked now.
        """
        cuda = self._cuda
        try:
            if not cuda.is_initialized():  # a tensor that only pretends to be there
                return None
            if cuda.is_current_stream_capturing():  # an event of ours would become part of the program's graph
                return None
            self.poll()
            index = device.index
            stream = cuda.current_stream(device)
            pair = self._pair(index)
            pair[0].record(stream)
        except Exception as error:
            guard.failed("marking the beginning of a device's work", error)
            return None

        def end(step: Step) -> None:
            with guard.shield("marking the end of a device's work"):
                pair[1].record(stream)
                self._pending.append((step, pair, index))
                if len(self._pending) > _PENDING:
                    self._pending.popleft()
                    guard.dropped(semconv.INFERENCE_DEVICE_TIME.name, "the device is too far behind")

        return end

    def poll(self) -> None:
        """Record what the device has finished; never waits, and raises what CUDA raises."""
        pending = self._pending
        while pending:
            try:
                entry = pending.popleft()
            except IndexError:  # another thread was faster
                return
            step, pair, index = entry
            if not pair[1].query():
                pending.appendleft(entry)
                return
            step.device_time(pair[0].elapsed_time(pair[1]) / 1_000)
            pool = self._pools.setdefault(index, deque(maxlen=_POOLED))
            pool.append(pair)

    def finish(self) -> None:
        """Do what `poll` does, at the end of the program, when CUDA may be gone or broken."""
        with guard.shield("asking for the last device times"):
            self.poll()

    def collect(self, now_ns: int) -> list[Any]:
        """Do what `poll` does, from a thread that does not know whether another one captures a graph."""
        runtime = self._runtime() if self._pending else None
        if runtime is not None:
            with _exempt(runtime) as is_exempt:
                if is_exempt:
                    self.poll()
        return []

    def _pair(self, index: int) -> Pair:
        try:
            return self._pools[index].pop()
        except (KeyError, IndexError):
            event = self._cuda.Event
            return event(enable_timing=True), event(enable_timing=True)


def cuda_runtime() -> Any:
    """Return the bindings of CUDA's runtime, which PyTorch depends on where it has CUDA 13; None without them."""
    try:
        return import_module("cuda.bindings.runtime")
    except ImportError:
        return None


@contextmanager
def _exempt(runtime: Any) -> Iterator[bool]:
    """Exempt this thread from others' captures; yields whether it is."""
    relaxed = runtime.cudaStreamCaptureMode.cudaStreamCaptureModeRelaxed
    error, before = runtime.cudaThreadExchangeStreamCaptureMode(relaxed)
    is_exempt = error == runtime.cudaError_t.cudaSuccess
    try:
        yield is_exempt
    finally:
        if is_exempt:
            runtime.cudaThreadExchangeStreamCaptureMode(before)
