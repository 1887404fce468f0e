# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime itself, instrumented."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnxruntime.capi.onnxruntime_inference_collection import Session
from opentelemetry import trace
from otelkit_instrumentation.inference.onnxruntime import OnnxRuntimeInstrumentor, Sessions
from support.onnx_model import onnx_model

import otelkit
from otelkit import semconv
from otelkit.testing import Telemetry, strict_guard, telemetry  # noqa: F401 - fixtures

pytestmark = [pytest.mark.engines, pytest.mark.usefixtures("strict_guard")]

METHODS = ("run", "run_async", "run_with_iobinding", "run_with_ort_values", "run_with_ortvaluevector")


@pytest.fixture(autouse=True)
def _instrumented() -> Iterator[None]:
    """Instrument ONNX Runtime for the test, and see that everything is put back after it."""
    originals = [vars(Session)[method] for method in METHODS]
    instrumentor = OnnxRuntimeInstrumentor()
    instrumentor.instrument(skip_dep_check=True)
    yield
    instrumentor.uninstrument()
    assert [vars(Session)[method] for method in METHODS] == originals


def session(folder: Path, name: str, **inputs: tuple[int | str, ...]) -> onnxruntime.InferenceSession:
    """Return a session of the model ``name`` that gives back its first input."""
    path = folder / f"{name}.onnx"
    path.write_bytes(onnx_model(inputs or {"x": ("rows", 4)}, "Identity" if len(inputs) < 2 else "Add"))
    return onnxruntime.InferenceSession(path)


def rows(number: int, columns: int = 4) -> np.ndarray:
    """Return an array of ``number`` rows."""
    return np.zeros((number, columns), np.float32)


def labelled(name: str, **labels: str) -> dict[str, str]:
    """Return the labels of a model's series; keywords without the prefix."""
    return {"inference.model": name} | {f"inference.{key}": value for key, value in labels.items()}


def test_run_is_one_step(telemetry: Telemetry, tmp_path: Path) -> None:  # noqa: F811
    """A run is counted and timed once, with its rows; the first one is warm-up."""
    scorer = session(tmp_path, "scorer")
    for number in (2, 3, 4):
        (out,) = scorer.run(None, {"x": rows(number)})
        assert out.shape == (number, 4)
    labels = labelled("scorer", engine="onnxruntime", operation="run")
    assert telemetry.value("inference.requests", labels) == 3
    assert telemetry.value("inference.requests", labels, **{"inference.warmup": "true"}) == 1
    assert telemetry.value("inference.duration", labels) == 3
    assert telemetry.value("inference.items", labels) == 9
    assert telemetry.value("inference.active_requests", labels) == 0


@pytest.mark.parametrize(
    ("inputs", "feed", "size"),
    [
        ({"x": ("rows", 4)}, {"x": rows(5)}, 5),
        ({"x": ("rows", 4)}, {"x": [[0.0] * 4] * 6}, 6),
        ({"x": (4, "batch_size")}, {"x": rows(4, 7)}, 7),
        ({"x": (4, "batch_size")}, {"x": [[0.0] * 7] * 4}, 7),
        ({"x": (1, "samples")}, {"x": rows(1, 160)}, 1),
        ({"x": (3, 4)}, {"x": rows(3)}, 3),
        ({"state": (1, 4), "x": ("n", 4)}, {"x": rows(8), "state": rows(1)}, 8),
        ({"scale": (), "x": ("n", 4)}, {"x": rows(2), "scale": np.zeros((), np.float32)}, 2),
    ],
)
def test_batch_size(telemetry: Telemetry, tmp_path: Path, inputs: Any, feed: Any, size: int) -> None:  # noqa: F811
    """The batch axis is the one that the model names so, else a dynamic leading one, else the fixed one."""
    session(tmp_path, "sized", **inputs).run(None, feed)
    (point,) = telemetry.points("inference.batch_size", labelled("sized"))
    assert point.sum == size


def test_arguments_by_name(telemetry: Telemetry, tmp_path: Path) -> None:  # noqa: F811
    """Arguments may be given by name, as the program likes."""
    named = session(tmp_path, "named")
    (out,) = named.run(output_names=["y"], input_feed={"x": rows(3)}, run_options=onnxruntime.RunOptions())
    assert out.shape == (3, 4)
    assert telemetry.value("inference.items", labelled("named")) == 3


def test_errors_pass_untouched(telemetry: Telemetry, tmp_path: Path) -> None:  # noqa: F811
    """The program gets ONNX Runtime's own exception, which is counted by type."""
    failing = session(tmp_path, "failing")
    with pytest.raises(ValueError, match="Required inputs"):
        failing.run(None, {"z": rows(1)})
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument):
        failing.run(None, {"x": np.zeros((1, 9), np.float32)})
    errors = {
        point.attributes["error.type"]: point.value
        for point in telemetry.points("inference.errors", labelled("failing"))
    }
    assert errors == {"ValueError": 1, "onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument": 1}
    assert telemetry.value("inference.items", labelled("failing")) == 0


def test_run_with_ort_values(telemetry: Telemetry, tmp_path: Path) -> None:  # noqa: F811
    """OrtValues tell their rows, too."""
    values = session(tmp_path, "values")
    (out,) = values.run_with_ort_values(["y"], {"x": onnxruntime.OrtValue.ortvalue_from_numpy(rows(6))})
    assert out.shape() == [6, 4]
    assert telemetry.value("inference.items", labelled("values")) == 6


def test_run_with_binding(telemetry: Telemetry, tmp_path: Path) -> None:  # noqa: F811
    """A run with bindings is a step; its outputs tell the rows."""
    bound = session(tmp_path, "bound")
    binding = bound.io_binding()
    binding.bind_cpu_input("x", rows(7))
    binding.bind_output("y")
    bound.run_with_iobinding(binding)
    assert binding.copy_outputs_to_cpu()[0].shape == (7, 4)
    assert telemetry.value("inference.items", labelled("bound")) == 7


def _run_async(model: onnxruntime.InferenceSession, feed: Any) -> tuple[Any, Any, str]:
    got: list[Any] = []
    done = threading.Event()

    def callback(results: Any, user_data: Any, error: str) -> None:
        got.extend((results, user_data, error))
        done.set()

    model.run_async(None, feed, callback, "mine")
    assert done.wait(30)
    return tuple(got)  # type: ignore[return-value]


def _several_threads(folder: Path, name: str) -> onnxruntime.InferenceSession:
    path = folder / f"{name}.onnx"
    path.write_bytes(onnx_model({"x": ("rows", 4)}))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2  # ONNX Runtime's condition for runs that are asynchronous
    return onnxruntime.InferenceSession(path, options)


def test_run_async(telemetry: Telemetry, tmp_path: Path) -> None:  # noqa: F811
    """An asynchronous run lasts until its callback, which gets what it always gets."""
    results, user_data, error = _run_async(_several_threads(tmp_path, "later"), {"x": rows(5)})
    assert (results[0].shape, user_data, error) == ((5, 4), "mine", "")
    assert telemetry.value("inference.items", labelled("later")) == 5
    assert telemetry.value("inference.active_requests", labelled("later")) == 0


def test_run_async_that_fails(telemetry: Telemetry, tmp_path: Path) -> None:  # noqa: F811
    """An asynchronous failure is counted; of its type ONNX Runtime says nothing."""
    _, _, error = _run_async(_several_threads(tmp_path, "failing_later"), {"x": np.zeros((1, 9), np.float32)})
    assert "invalid dimensions" in error
    (point,) = telemetry.points("inference.errors", labelled("failing_later"))
    assert point.attributes["error.type"] == "RuntimeError"


def test_runs_beside_an_asynchronous_one_are_recorded(telemetry: Telemetry, tmp_path: Path) -> None:  # noqa: F811
    """What a program runs while an asynchronous run is under way is no part of it."""
    slow, other = session(tmp_path, "under_way"), session(tmp_path, "beside")
    started: list[Any] = []
    run_async = Sessions(1, spans=True).asynchronous(lambda session, *arguments: started.append(arguments))
    run_async(slow, None, {"x": rows(1)}, lambda *got: started.append(got), "mine")
    other.run(None, {"x": rows(1)})
    assert telemetry.value("inference.requests", labelled("beside")) == 1
    assert telemetry.value("inference.active_requests", labelled("under_way")) == 1
    ended = threading.Thread(target=started[0][2], args=([], "mine", ""))
    ended.start()
    ended.join()
    assert started[1] == ([], "mine", "")
    assert telemetry.value("inference.duration", labelled("under_way")) == 1
    assert telemetry.value("inference.active_requests", labelled("under_way")) == 0


def test_providers_in_use(telemetry: Telemetry, tmp_path: Path) -> None:  # noqa: F811
    """Sessions are counted by what executes them, for as long as they are there."""
    one, two = session(tmp_path, "provided"), session(tmp_path, "provided")
    for each in (one, two):
        each.run(None, {"x": rows(1)})
    one.set_providers(["CPUExecutionProvider"])
    one.run(None, {"x": rows(1)})
    labels = labelled("provided", provider="CPUExecutionProvider")
    assert telemetry.value("inference.sessions", labels) == 2
    del one, two, each
    gc.collect()
    assert telemetry.value("inference.sessions", labels) == 0


def test_spans_only_inside_of_a_trace(telemetry: Telemetry, tmp_path: Path) -> None:  # noqa: F811
    """A run inside of a span gets a child span that names the providers; one outside gets none."""
    traced = session(tmp_path, "traced")
    traced.run(None, {"x": rows(2)})
    assert telemetry.spans == ()
    with trace.get_tracer("test").start_as_current_span("request") as request:
        traced.run(None, {"x": rows(2)})
    child = telemetry.spans[0]
    assert child.name == "run traced"
    assert child.parent.span_id == request.get_span_context().span_id
    assert child.attributes[semconv.INFERENCE_BATCH_SIZE_ATTRIBUTE] == 2
    assert child.attributes[semconv.INFERENCE_PROVIDER] == ("CPUExecutionProvider",)


def test_inside_a_step_by_hand(telemetry: Telemetry, tmp_path: Path) -> None:  # noqa: F811
    """A run inside of `otelkit.inference` belongs to that step."""
    inner = session(tmp_path, "inner")
    with otelkit.inference("ensemble", batch_size=1):
        inner.run(None, {"x": rows(1)})
    assert telemetry.value("inference.requests", labelled("inner")) == 0
    assert telemetry.value("inference.requests", labelled("ensemble")) == 1


def test_many_threads(telemetry: Telemetry, tmp_path: Path) -> None:  # noqa: F811
    """Runs from several threads are all counted."""
    shared = session(tmp_path, "shared")

    def work() -> None:
        for _ in range(500):
            shared.run(None, {"x": rows(2)})

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert telemetry.value("inference.requests", labelled("shared")) == 2_000
    assert telemetry.value("inference.items", labelled("shared")) == 4_000


def test_name_of_a_model_in_memory(telemetry: Telemetry) -> None:  # noqa: F811
    """A model that was given as bytes is called as its graph, unless that is what exporters call everything."""
    onnxruntime.InferenceSession(onnx_model({"x": ("n", 4)}, graph="detector")).run(None, {"x": rows(1)})
    onnxruntime.InferenceSession(onnx_model({"x": ("n", 4)}, graph="main_graph")).run(None, {"x": rows(1)})
    assert telemetry.value("inference.requests", labelled("detector")) == 1
    assert telemetry.value("inference.requests", labelled("unnamed")) == 1


def test_nothing_is_imported_for_its_own_sake() -> None:
    """Instrumenting imports no ONNX Runtime; what the program imports later is instrumented."""
    program = (
        "import sys\n"
        "from otelkit_instrumentation.inference.onnxruntime import OnnxRuntimeInstrumentor\n"
        "OnnxRuntimeInstrumentor().instrument()\n"
        "assert 'onnxruntime' not in sys.modules and 'numpy' not in sys.modules\n"
        "import onnxruntime\n"
        "assert hasattr(onnxruntime.InferenceSession.run, '__otelkit_unpatched__')\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
