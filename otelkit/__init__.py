# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
OpenTelemetry instrumentation that costs less than a microsecond a call.

Decorate (`metered`, `traced`, `observed`, `service`, `job`, `event_handler`,
`publisher`), declare (`counter`, `gauge`, `histogram`, ...), `configure` once,
and everything is shipped. Recording before, after or without `configure` is
safe: what was recorded before is delivered after.

Importing this loads no exporter, NVML, web server or framework.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otelkit._core._span_source import span_source as _span_source
from otelkit.decorators._labels import add_label
from otelkit.decorators._spans import sampled_span as _sampled_span
from otelkit.decorators.event import event_handler, publisher
from otelkit.decorators.job import job
from otelkit.decorators.metered import metered, observed, traced
from otelkit.decorators.service import action, service
from otelkit.instruments.by_name import increment, observe, set, timer
from otelkit.instruments.counter import counter
from otelkit.instruments.gauge import gauge, up_down_counter
from otelkit.instruments.histogram import histogram, summary
from otelkit.instruments.rate import rate

if TYPE_CHECKING:
    from otelkit._instrumentors import instrument, uninstrument
    from otelkit.devices.gpu import GpuMonitor
    from otelkit.jobs.tracker import JobTracker
    from otelkit.loops.by_hand import inference
    from otelkit.loops.track import track
    from otelkit.pipeline import configure, flush, shutdown

__version__ = "0.1.0"

__all__ = (
    "GpuMonitor",
    "JobTracker",
    "action",
    "add_label",
    "configure",
    "counter",
    "event_handler",
    "flush",
    "gauge",
    "histogram",
    "increment",
    "inference",
    "instrument",
    "job",
    "metered",
    "observe",
    "observed",
    "publisher",
    "rate",
    "service",
    "set",
    "shutdown",
    "summary",
    "timer",
    "traced",
    "track",
    "uninstrument",
    "up_down_counter",
)

_LAZY = {
    "GpuMonitor": "otelkit.devices.gpu",
    "JobTracker": "otelkit.jobs.tracker",
    "configure": "otelkit.pipeline",
    "flush": "otelkit.pipeline",
    "inference": "otelkit.loops.by_hand",
    "instrument": "otelkit._instrumentors",
    "shutdown": "otelkit.pipeline",
    "track": "otelkit.loops.track",
    "uninstrument": "otelkit._instrumentors",
}

_span_source.current = _sampled_span


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'otelkit' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted((*__all__, "__version__"))
