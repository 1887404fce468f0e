# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A pipeline of one's own per test: OpenTelemetry's globals as in a new process, and a registry of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import opentelemetry.metrics._internal as metrics_globals
import pytest
from opentelemetry import trace as trace_globals
from opentelemetry.util._once import Once
from support.otlp_receiver import OtlpReceiver

from otelkit.config import load
from otelkit.instruments.registry import Registry
from otelkit.pipeline import telemetry


@pytest.fixture
def registry() -> Registry:
    """A store with nothing in it."""
    return Registry()


@pytest.fixture
def new_globals(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let global providers be set anew, as the SDK's own tests do; the ones before come back afterwards."""
    monkeypatch.setattr(metrics_globals, "_METER_PROVIDER", None)
    monkeypatch.setattr(metrics_globals, "_METER_PROVIDER_SET_ONCE", Once())
    monkeypatch.setattr(metrics_globals, "_PROXY_METER_PROVIDER", metrics_globals._ProxyMeterProvider())
    monkeypatch.setattr(trace_globals, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace_globals, "_TRACER_PROVIDER_SET_ONCE", Once())
    monkeypatch.setattr(telemetry, "_current", None)
    yield
    if telemetry._current:
        telemetry._current.shutdown(0.2)
        telemetry._current.release()


@pytest.fixture
def start(new_globals: None, registry: Registry) -> Callable[..., telemetry.Telemetry]:
    """Return a function that sets a pipeline up from keyword arguments alone."""

    def _start(**arguments: object) -> telemetry.Telemetry:
        arguments = {"machine": [], "otlp_timeout_s": 0.5, **arguments}
        return telemetry.start(load(file="/dev/null", environ={}, **arguments), registry)

    return _start


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """An OTLP receiver over HTTP."""
    with OtlpReceiver() as started:
        yield started
