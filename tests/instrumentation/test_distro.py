# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Plain ``opentelemetry-instrument``, with otelkit installed."""

import importlib.util
import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from opentelemetry.instrumentation.distro import BaseDistro

LAUNCHER = Path(sys.executable).with_name("opentelemetry-instrument")
RECEIVER = Path(__file__).parents[1] / "support" / "otlp_receiver.py"


@pytest.fixture
def receiver():
    """An OTLP receiver over HTTP."""
    name = "otelkit_tests_otlp_receiver"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, RECEIVER)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    with sys.modules[name].OtlpReceiver("http") as running:
        yield running


def instrument(folder, program, **variables):
    """Run lines of Python under opentelemetry-instrument, in ``folder`` and with these variables only."""
    environment = {name: value for name, value in os.environ.items() if "OTEL" not in name and name != "PYTHONPATH"}
    command = [LAUNCHER, sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env={**environment, **variables})


def test_entry_points():
    """Both entry points load, under the name that OTEL_PYTHON_DISTRO and OTEL_PYTHON_CONFIGURATOR take."""
    (distro,) = entry_points(group="opentelemetry_distro", name="otelkit")
    (configurator,) = entry_points(group="opentelemetry_configurator", name="otelkit")
    assert isinstance(distro.load()(), BaseDistro)
    assert callable(configurator.load()().configure)


def test_telemetry_arrives(receiver, tmp_path):
    """OpenTelemetry's own launcher sets otelkit up: the API's telemetry arrives, and the machine's metrics with it."""
    program = """
from opentelemetry import metrics, trace
with trace.get_tracer("shop").start_as_current_span("order"):
    metrics.get_meter("shop").create_counter("shop.orders").add(3)
"""
    done = instrument(tmp_path, program, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint, OTEL_SERVICE_NAME="shop")
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    assert receiver.total("shop.orders") == 3
    assert [span.name for span in receiver.spans()] == ["order"]
    assert receiver.series("shop.orders")[0].resource["service.name"] == "shop"
    assert "process.cpu.time" in receiver.metric_names()


def test_a_broken_configuration_is_one_line(tmp_path):
    """The program runs, and one line says what is wrong, without a traceback."""
    (tmp_path / "otelkit.toml").write_text("prometheus_port = 'many'\n")
    done = instrument(tmp_path, "print('ran')")
    assert (done.stdout, done.returncode) == ("ran\n", 0)
    (line,) = done.stderr.splitlines()
    assert line.startswith("otelkit: not set up, the program runs without it. Expected ")
    assert "otelkit.toml: prometheus_port" in line


def test_only_the_machine_s_parts_that_are_wanted(receiver, tmp_path):
    """The machine is observed as the settings say, and not once more by its instrumentor."""
    done = instrument(
        tmp_path,
        "",
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
        OTELKIT_MACHINE="runtime",
        OTEL_TRACES_EXPORTER="none",
    )
    assert (done.stderr, done.returncode) == ("", 0)
    names = receiver.metric_names()
    assert any(name.startswith("cpython.") for name in names)
    assert not any(name.startswith(("system.", "process.")) for name in names)
