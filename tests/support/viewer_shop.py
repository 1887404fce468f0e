# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
A shop with five minutes behind it, as a program with otelkit would have sent it.

Two services, an event, a job, a model, the machine; traces of one action. For the last minute the payments, and so
the action that needs them, take forty times as long, and some of them fail.
"""

from __future__ import annotations

import json
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from support.viewer import SECOND_NS, Answer, Viewer, histogram, metrics, number, set_attributes, span, traces

RESOURCE = {"service.name": "shop", "service.instance.id": "shop-1", "telemetry.sdk.language": "python"}
BOUNDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
QUICK = (0, 0, 10, 88, 2, 0, 0, 0, 0, 0)
SLOW = (0, 0, 0, 0, 0, 0, 10, 80, 10, 0)
"""Calls by bucket in five seconds."""
STEP_S = 5
STEPS = 60
SLOW_STEPS = 12
CALLS = 100
FAILED = 20

CHARGE = {"service": "checkout", "action": "charge"}
QUOTE = {"service": "checkout", "action": "quote"}
SEARCH = {"service": "catalog", "action": "search"}


class Shop:
    """What was sent, and a way to ask for it."""

    def __init__(self, viewer: Viewer, now: float) -> None:
        self.viewer = viewer
        self.end_ns = int(now * SECOND_NS)
        self.start_ns = self.end_ns - STEPS * STEP_S * SECOND_NS
        self.slow_since = (self.end_ns - SLOW_STEPS * STEP_S * SECOND_NS) / SECOND_NS
        self.trace_id = ""

    def fill(self) -> None:
        """Send everything."""
        for step in range(1, STEPS + 1):
            answer = self.viewer.post("/v1/metrics", metrics(*self._metrics(step), resource=RESOURCE))
            assert answer.status == 200
            answer = self.viewer.post("/v1/traces", traces(*self._spans(step), resource=RESOURCE))
            assert answer.status == 200

    def get(self, path: str, **parameters: Any) -> Answer:
        """Ask the API, with the token."""
        query = urllib.parse.urlencode({key.rstrip("_"): value for key, value in parameters.items()})
        token = self.viewer.dashboard.access.token
        return self.viewer.get(f"/api/v1/{path}{f'?{query}' if query else ''}", {"Authorization": f"Bearer {token}"})

    def json(self, path: str, **parameters: Any) -> Any:
        """Ask the API, and expect an answer."""
        answer = self.get(path, **parameters)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def wait_for(self, path: str, holds: Any, **parameters: Any) -> Any:
        """Ask until something holds: what is usual is worked out in the background."""
        deadline = time.monotonic() + 60
        while True:
            answer = self.json(path, **parameters)
            if holds(answer) or time.monotonic() > deadline:
                return answer
            time.sleep(0.1)

    def _metrics(self, step: int) -> list[Metric]:
        slow = max(0, step - (STEPS - SLOW_STEPS))
        quick = step - slow
        at: Mapping[str, Any] = {
            "time_ns": self.start_ns + step * STEP_S * SECOND_NS,
            "start_ns": self.start_ns,
        }
        charge = [quick * q + slow * s for q, s in zip(QUICK, SLOW, strict=True)]
        made = []
        for labels, buckets in (
            (CHARGE, charge),
            (QUOTE, [step * q for q in QUICK]),
            (SEARCH, [step * q for q in QUICK]),
        ):
            made += [
                number("service.requests", sum(buckets), labels, **at),
                histogram("service.response_time", BOUNDS, buckets, labels, **at),
            ]
            active = number("service.active_requests", 3, labels, **at)
            active.sum.is_monotonic = False
            made.append(active)
        failed = {**CHARGE, "error.type": "PaymentTimeout"}
        if slow:
            made.append(number("service.errors", slow * FAILED, failed, **at))
        made += [
            number("event.received", step * 10, {"event": "payment.completed"}, **at),
            histogram("event.processing_time", BOUNDS, [step, *[0] * 9], {"event": "payment.completed"}, **at),
            number("job.runs", step, {"job.name": "cleanup"}, **at),
            histogram("job.duration", BOUNDS, [0, step, *[0] * 8], {"job.name": "cleanup"}, **at),
            number(
                "job.status", step * 4, {"batch.engine": "joblib", "job.name": "score", "status": "completed"}, **at
            ),
            number("job.pending", 600 - step * 4, {"batch.engine": "joblib", "job.name": "score"}, kind="gauge", **at),
            histogram(
                "job.duration", BOUNDS, [0, 4 * step, *[0] * 8], {"batch.engine": "joblib", "job.name": "score"}, **at
            ),
            *_model(step, at),
            *_machine(step, at),
            number("shop.orders", step % 7, {"tier": "free"}, kind="gauge", **at),
        ]
        return made

    def _spans(self, step: int) -> list[Any]:
        slow = step > STEPS - SLOW_STEPS
        made = []
        for number_ in range(3):
            begin = self.start_ns + step * STEP_S * SECOND_NS - (number_ + 2) * SECOND_NS
            payment_ns = 900_000_000 if slow else 20_000_000
            root = span(
                "checkout.charge",
                start_ns=begin,
                duration_ns=payment_ns + 10_000_000,
                failed=slow and number_ == 0,
                attributes={**CHARGE, "otelkit.metric": "service.response_time", "user_tier": "free"},
            )
            payment = span(
                "POST payments-gw",
                trace_id=root.trace_id,
                parent=root.span_id,
                start_ns=begin + 5_000_000,
                duration_ns=payment_ns,
                attributes={"gateway": "eu-2" if slow else "eu-1", "note": "<script>alert(1)</script>"},
            )
            event = payment.events.add(name="request sent", time_unix_nano=begin + 6_000_000)
            set_attributes(event.attributes, {"bytes": 1_200})
            self.trace_id = root.trace_id.hex()
            made += [root, payment]
        return made


def _model(step: int, at: Mapping[str, Any]) -> list[Metric]:
    labels = {"inference.engine": "torch", "inference.model": "org/MiniLM"}
    phases = [
        histogram(
            "inference.phase.duration",
            BOUNDS,
            [0, 0, 0, 20 * step, *[0] * 6],
            {**labels, "inference.phase": phase},
            **at,
        )
        for phase in ("preprocess", "compute")
    ]
    return [
        number("inference.requests", 20 * step, labels, **at),
        number("inference.items", 640 * step, labels, **at),
        histogram("inference.duration", BOUNDS, [0, 0, 0, 0, 20 * step, *[0] * 5], labels, **at),
        histogram("inference.duration", BOUNDS, [0] * 9 + [1], {**labels, "inference.warmup": "true"}, **at),
        histogram("inference.batch_size", (1, 16, 32), [0, 0, 20 * step, 0], labels, **at),
        *phases,
    ]


def _machine(step: int, at: Mapping[str, Any]) -> list[Metric]:
    made = []
    for core in range(2):
        for mode, share in (("user", 0.25), ("system", 0.05), ("idle", 0.7)):
            labels = {"cpu.logical_number": core, "cpu.mode": mode}
            made.append(number("system.cpu.utilization", share, labels, kind="gauge", **at))
    for state, amount in (("used", 4 * 2**30), ("free", 12 * 2**30)):
        made.append(number("system.memory.usage", amount, {"system.memory.state": state}, kind="gauge", **at))
    made += [
        number("system.memory.limit", 16 * 2**30, kind="gauge", **at),
        number("process.memory.usage", 90 * 2**20, kind="gauge", **at),
        number("process.cpu.time", step * 0.5, **at),
        number("hw.gpu.utilization", 0.6, {"hw.id": "GPU-1", "hw.name": "NVIDIA L40S"}, kind="gauge", **at),
        number("hw.temperature", 71.0, {"hw.id": "GPU-1", "hw.name": "NVIDIA L40S"}, kind="gauge", **at),
    ]
    return made
