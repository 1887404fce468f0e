# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Every endpoint of the API: the one definition that routes, checks, OpenAPI and docs are made of."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from otelkit.viewer.api import parameters as ask
from otelkit.viewer.api.shapes.batch import Job, Jobs
from otelkit.viewer.api.shapes.frame import Frame
from otelkit.viewer.api.shapes.health import Health, Status, Suggestions
from otelkit.viewer.api.shapes.host import Host, Hosts
from otelkit.viewer.api.shapes.inference import Model, Models
from otelkit.viewer.api.shapes.metric import Metric, Metrics
from otelkit.viewer.api.shapes.overview import Overview
from otelkit.viewer.api.shapes.service import Service, Services
from otelkit.viewer.api.shapes.trace import Cell, Moment, Trace, Traces

PREFIX = "/api/v1"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    One thing that a page draws.

    Attributes:
        name: OpenAPI's operationId, and the name of the module in `queries` that answers it.
        path: Below `PREFIX`; at most one name in braces.
        summary: One sentence.
        parameters: What may stand in the query.
        response: What comes back.
        missing: What is not there when it answers 404; empty if it never does.
    """

    name: str
    path: str
    summary: str
    parameters: type[msgspec.Struct]
    response: type[msgspec.Struct]
    missing: str = ""

    @property
    def path_parameter(self) -> str:
        """Name in braces, or empty."""
        return self.path.partition("{")[2].rstrip("}")


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("frame", "/frame", "Sidebar and ribbon, the same on every page.", ask.FrameWindow, Frame),
    Endpoint("overview", "/overview", "Is anything wrong, where, since when.", ask.Window, Overview),
    Endpoint("services", "/services", "All services.", ask.Window, Services),
    Endpoint("service", "/services/{name}", "One service, one action in full.", ask.ServiceWindow, Service, "service"),
    Endpoint("cell", "/cells", "What lies in a rectangle of a latency heatmap.", ask.CellWindow, Cell, "service"),
    Endpoint("traces", "/traces", "Search for traces.", ask.TraceSearch, Traces),
    Endpoint("trace", "/traces/{trace_id}", "One trace.", ask.TraceShown, Trace, "trace"),
    Endpoint("moment", "/moments/{trace_id}", "Metrics while a span ran.", ask.MomentWindow, Moment, "trace or span"),
    Endpoint("models", "/inference", "All models.", ask.Window, Models),
    Endpoint("model", "/inference/{key}", "One model.", ask.Window, Model, "model"),
    Endpoint("jobs", "/batch", "All batches and jobs.", ask.Window, Jobs),
    Endpoint("job", "/batch/{key}", "One batch or job.", ask.Window, Job, "job"),
    Endpoint("hosts", "/hosts", "All machines.", ask.Window, Hosts),
    Endpoint("host", "/hosts/{name}", "One machine, its processes and GPUs.", ask.Window, Host, "host"),
    Endpoint("metrics", "/metrics", "The catalogue of metrics.", ask.MetricSearch, Metrics),
    Endpoint(
        "metric", "/metrics/{name}", "Any metric, split by any of its labels.", ask.MetricWindow, Metric, "metric"
    ),
    Endpoint("health", "/otelkit", "What otelkit costs, and what was lost.", ask.Window, Health),
    Endpoint("status", "/status", "What is listened on, what arrived, what was refused.", ask.Nothing, Status),
    Endpoint("complete", "/complete", "What could come next in the filter bar.", ask.Completion, Suggestions),
)
