# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Spans: one per call of a decorated function, linked to its metrics; and spans by hand within."""

from opentelemetry import trace

import otelkit

tracer = trace.get_tracer(__name__)


@otelkit.traced
def charge(order: int) -> None:
    if order == 2:
        raise PermissionError("card refused")


@otelkit.observed
def checkout(order: int) -> None:
    with tracer.start_as_current_span("reserve", attributes={"order": order}) as span:
        span.add_event("taken from the shelf")
    charge(order)


if __name__ == "__main__":
    otelkit.configure(service_name="spans", metrics_exporters=["none"], traces_exporters=["console"])
    checkout(1)
    try:
        checkout(2)
    except PermissionError as error:
        print(f"refused: {error}")
    otelkit.shutdown()
