# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Steps of inference, as instrumentors record them: what is counted, when, and by whom."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import pickle
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cloudpickle
import pytest
from opentelemetry import trace
from support.metrics import fresh

from otelkit._core._guard import guard
from otelkit.loops import Inference, Inside, inference_of, recorded_outside
from otelkit.testing import Telemetry, capture


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """What a test records."""
    with capture() as captured:
        yield captured


@pytest.fixture
def recorder() -> Inference:
    """The recorder of a model that no other test has."""
    return inference_of("engine", fresh("model"), "run", warmup_steps=0)


def labels(recorder: Inference, **more: str) -> dict[str, str]:
    """Return the labels of a recorder's series."""
    return {"inference.model": recorder.model, **{f"inference.{name}": value for name, value in more.items()}}


def amount(telemetry: Telemetry, name: str, recorder: Inference, **more: str) -> float:
    """Return the sum of a histogram."""
    return sum(point.sum for point in telemetry.points(f"inference.{name}", labels(recorder, **more)))  # type: ignore


def test_a_step_is_a_request_a_duration_and_its_items(telemetry: Telemetry, recorder: Inference) -> None:
    """Items are the batch sizes' sum."""
    for size in (1, 2, 40):
        with recorder.step(size):
            pass
    mine = labels(recorder, engine="engine", operation="run", warmup="false")
    assert telemetry.value("inference.requests", mine) == 3
    assert telemetry.value("inference.duration", mine) == 3
    assert telemetry.value("inference.batch_size", mine) == 3
    assert telemetry.value("inference.items", mine) == 43
    assert telemetry.value("inference.active_requests", mine) == 0
    assert 0 < amount(telemetry, "duration", recorder) < 60


def test_a_step_under_way_is_active(telemetry: Telemetry, recorder: Inference) -> None:
    """From start to stop, and the second stop does nothing."""
    step = recorder.step(1).start()
    assert telemetry.value("inference.active_requests", labels(recorder)) == 1
    assert step.running
    assert step.stop() > 0
    assert step.stop() == 0
    assert not step.running
    assert telemetry.value("inference.active_requests", labels(recorder)) == 0
    assert telemetry.value("inference.duration", labels(recorder)) == 1


def test_a_failed_step_is_an_error_without_items(telemetry: Telemetry, recorder: Inference) -> None:
    """By type; the exception passes untouched, and a cancellation is no error."""
    error = KeyError("mine")
    with pytest.raises(KeyError) as caught, recorder.step(5):
        raise error
    assert caught.value is error
    with pytest.raises(asyncio.CancelledError), recorder.step(5):
        raise asyncio.CancelledError
    assert telemetry.value("inference.errors", labels(recorder)) == 1
    assert telemetry.value("inference.errors", {**labels(recorder), "error.type": "KeyError"}) == 1
    assert telemetry.value("inference.duration", {**labels(recorder), "error.type": "KeyError"}) == 1
    assert telemetry.value("inference.requests", labels(recorder)) == 2
    assert telemetry.value("inference.items", labels(recorder)) == 0


def test_the_first_steps_are_warm_up(telemetry: Telemetry) -> None:
    """As many as the recorder was told, unless a step says itself."""
    recorder = Inference("engine", fresh("model"), warmup_steps=2)
    for warmup in (None, None, None, True, False, None):
        with recorder.step(1, warmup=warmup):
            pass
    assert telemetry.value("inference.requests", labels(recorder, warmup="true")) == 3
    assert telemetry.value("inference.requests", labels(recorder, warmup="false")) == 3


def test_phases_and_waits_and_caches(telemetry: Telemetry, recorder: Inference) -> None:
    """Each has its metric; what was measured elsewhere can be said, too."""
    with recorder.step(3) as step:
        with step.phase("preprocess"):
            pass
        with step.phase("compute"):
            pass
        step.phase_time("compute", 0.25)
        step.wait_time(0.5)
        step.cache(hits=3, misses=1)
        step.fill(3, 4)
        step.padding(10, 40)
    assert telemetry.value("inference.phase.duration", labels(recorder, phase="preprocess")) == 1
    assert telemetry.value("inference.phase.duration", labels(recorder, phase="compute")) == 2
    assert amount(telemetry, "phase.duration", recorder, phase="compute") >= 0.25
    assert amount(telemetry, "wait_time", recorder) == 0.5
    assert telemetry.value("inference.cache.hits", labels(recorder)) == 3
    assert telemetry.value("inference.cache.misses", labels(recorder)) == 1
    assert amount(telemetry, "batch_fill", recorder) == 0.75
    assert amount(telemetry, "padding", recorder) == 0.25


def test_device_time_may_come_later_from_another_thread(telemetry: Telemetry) -> None:
    """It counts for its step, warm-up or not, though others have begun since."""
    recorder = Inference("engine", fresh("model"), warmup_steps=1)
    with recorder.step(1) as first:
        pass
    with recorder.step(1) as second:
        pass
    thread = threading.Thread(target=lambda: (second.device_time(0.5), first.device_time(2.0)))
    thread.start()
    thread.join()
    assert amount(telemetry, "device_time", recorder, warmup="true") == 2.0
    assert amount(telemetry, "device_time", recorder, warmup="false") == 0.5


def test_batch_size_may_be_known_at_the_end_or_never(telemetry: Telemetry, recorder: Inference) -> None:
    """It may be set while the step runs; None is no item, and zero is a batch of nothing."""
    with recorder.step() as step:
        step.batch_size = 7
    with recorder.step():
        pass
    with recorder.step(0):
        pass
    assert telemetry.value("inference.items", labels(recorder)) == 7
    assert telemetry.value("inference.batch_size", labels(recorder)) == 2
    assert telemetry.value("inference.requests", labels(recorder)) == 3


@pytest.mark.parametrize("size", [-1, "many", float("nan"), [1]])
def test_a_wrong_batch_size_costs_only_itself(telemetry: Telemetry, recorder: Inference, size: Any) -> None:
    """The request is recorded, the size is dropped or counted as a failure, and nothing is raised."""
    before = sum(items for _, _, items in guard.tallies())
    with recorder.step(size):
        pass
    assert telemetry.value("inference.duration", labels(recorder)) == 1
    assert telemetry.value("inference.items", labels(recorder)) == 0
    assert sum(items for _, _, items in guard.tallies()) > before


def test_throughput_leaves_warm_up_out(telemetry: Telemetry) -> None:
    """Items a second, as a gauge, of the steps that count."""
    recorder = Inference("engine", fresh("model"), warmup_steps=1)
    for size in (1_000, 5, 5):
        with recorder.step(size):
            pass
    (point,) = telemetry.points("inference.throughput", labels(recorder))
    assert point.attributes["inference.warmup"] == "false"
    assert point.value > 0  # type: ignore[union-attr]


# -- nesting ---------------------------------------------------------------------------------------------------------


def outermost(recorder: Inference, inner: Any = None) -> None:
    """What an instrumentor's wrapper does."""
    if recorded_outside():
        return inner and inner()
    with recorder.step(1):
        return inner and inner()


def test_nested_calls_are_recorded_once(telemetry: Telemetry, recorder: Inference) -> None:
    """Whatever the depth, also of another engine, and also after an inner call has failed."""
    other = inference_of("other", fresh("model"), "run")
    outermost(recorder, lambda: outermost(other, lambda: outermost(recorder)))
    with pytest.raises(ZeroDivisionError):
        outermost(recorder, lambda: outermost(other, lambda: 1 / 0))
    assert not recorded_outside()
    assert telemetry.value("inference.requests", labels(recorder)) == 2
    assert telemetry.value("inference.requests", labels(other)) == 0


def test_another_threads_step_is_not_outside(recorder: Inference) -> None:
    """Threads begin with nothing around them."""
    with recorder.step(1), ThreadPoolExecutor(1) as pool:
        assert recorded_outside()
        assert not pool.submit(recorded_outside).result()


def test_a_function_can_be_told_that_it_is_inside(recorder: Inference) -> None:
    """In another thread, and after pickling, as in another process."""
    inside = pickle.loads(pickle.dumps(Inside(recorded_outside)))
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(inside).result()
        assert not pool.submit(recorded_outside).result()


def test_tasks_that_outlive_their_step_are_on_their_own(recorder: Inference) -> None:
    """A background task that was started inside of a step is recorded again when that has ended."""

    async def main() -> list[bool]:
        ended = asyncio.Event()
        seen = []

        async def background() -> None:
            seen.append(recorded_outside())
            await ended.wait()
            seen.append(recorded_outside())

        async with recorder.step(1):
            task = asyncio.create_task(background())
            await asyncio.sleep(0)
        ended.set()
        await task
        return seen

    assert asyncio.run(main()) == [True, False]


def test_a_step_may_end_in_another_context(telemetry: Telemetry, recorder: Inference) -> None:
    """As that of a generator that another task closes; it is recorded, and nothing stays behind."""
    step = contextvars.copy_context().run(recorder.step(1).start)
    step.stop()
    assert telemetry.value("inference.duration", labels(recorder)) == 1
    assert not recorded_outside()


# -- spans -----------------------------------------------------------------------------------------------------------


def test_the_span_says_what_was_asked(telemetry: Telemetry, recorder: Inference) -> None:
    """A child of the current span, and itself the current one inside; with the error, if there was one."""
    with trace.get_tracer("test").start_as_current_span("request") as request:
        with recorder.step(4):
            inner = trace.get_current_span().get_span_context()
        with pytest.raises(KeyError), recorder.step(4):
            raise KeyError
        assert trace.get_current_span() is request
    good, bad, _ = telemetry.spans
    assert good.name == f"run {recorder.model}"
    assert good.context is not None
    assert good.context.span_id == inner.span_id
    assert good.parent is not None
    assert good.parent.span_id == request.get_span_context().span_id
    assert dict(good.attributes or {}) == {
        "inference.engine": "engine",
        "inference.model": recorder.model,
        "inference.operation": "run",
        "inference.warmup": False,
        "inference.batch_size": 4,
        "otelkit.metric": "inference.duration",
    }
    assert (bad.attributes or {})["error.type"] == "KeyError"
    assert not bad.status.is_ok


def test_spans_can_be_left_out(telemetry: Telemetry) -> None:
    """Metrics are recorded all the same."""
    recorder = inference_of("engine", fresh("model"), spans=False)
    with recorder.step(1):
        pass
    assert not telemetry.spans
    assert telemetry.value("inference.duration", labels(recorder)) == 1


def test_the_slowest_durations_exemplar_names_the_span(telemetry: Telemetry, recorder: Inference) -> None:
    """From the metric to the trace."""
    with recorder.step(1):
        pass
    (span,) = telemetry.spans
    (point,) = telemetry.points("inference.duration", labels(recorder))
    (exemplar,) = point.exemplars  # type: ignore[union-attr]
    assert span.context is not None
    assert exemplar.span_id == span.context.span_id


# -- recorders -------------------------------------------------------------------------------------------------------


def test_one_recorder_for_a_model_and_operation(recorder: Inference) -> None:
    """Asked again, and unpickled, it is the same one."""
    assert inference_of("engine", recorder.model, "run", warmup_steps=0) is recorder
    assert inference_of("engine", recorder.model, "other") is not recorder
    assert pickle.loads(pickle.dumps(recorder)) is recorder
    assert cloudpickle.loads(cloudpickle.dumps(recorder)) is recorder


def test_a_forked_child_starts_from_zero(telemetry: Telemetry, recorder: Inference) -> None:
    """Its steps are its own, and the parent's stay the parent's."""
    with recorder.step(1):
        pass
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        with recorder.step(1):
            pass
        from support.metrics import total

        os.write(writing, str(total("inference.requests", labels(recorder))).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        assert answer.read() == "1"
    assert os.waitpid(child, 0)[1] == 0
    assert telemetry.value("inference.requests", labels(recorder)) == 1


def test_steps_of_many_threads_are_counted_exactly(telemetry: Telemetry, recorder: Inference) -> None:
    """8 threads, 1,000 steps each, every tenth fails."""

    def work(thread: int) -> None:
        for number in range(1_000):
            try:
                with recorder.step(2):
                    if number % 10 == 0:
                        raise ValueError(number)
            except ValueError:
                pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert telemetry.value("inference.requests", labels(recorder)) == 8_000
    assert telemetry.value("inference.duration", labels(recorder)) == 8_000
    assert telemetry.value("inference.errors", labels(recorder)) == 800
    assert telemetry.value("inference.items", labels(recorder)) == 14_400


class _StrayError(BaseException):
    """What a signal handler of the program's raises, like Celery's time limit."""


def test_what_a_signal_handler_raises_passes_and_leaves_nothing_behind() -> None:
    """Wherever it strikes: the program gets it, and later calls are not taken for nested ones."""
    recorder = inference_of("engine", fresh("model"), spans=False)
    # In a context of its own: whatever this leaves behind is not the other tests'.
    assert contextvars.copy_context().run(_hidden_after_strikes, recorder, 200) == 0


def _hidden_after_strikes(recorder: Inference, strikes: int) -> int:
    """Interrupt steps that often, and return how often something around seemed to record afterwards."""
    armed = False

    def strike(*_: object) -> None:
        nonlocal armed
        if armed:
            armed = False
            raise _StrayError

    before = signal.signal(signal.SIGPROF, strike)  # SIGALRM is the test runner's
    gc.disable()  # Python would swallow what is raised in a finaliser
    signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)
    hidden = struck = 0
    try:
        while struck < strikes:
            try:
                armed = True
                while armed:
                    with recorder.step(1):
                        pass
            except _StrayError:
                struck += 1
            hidden += recorded_outside()
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        gc.enable()
    return hidden
