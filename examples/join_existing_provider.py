# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""An application that already has OpenTelemetry: otelkit joins its provider, and makes no second pipeline."""

from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

import otelkit


@otelkit.metered(name="order")
def order() -> None:
    pass


if __name__ == "__main__":
    reader = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([reader]))
    metrics.get_meter("the application").create_counter("visits").add(1)

    otelkit.configure(metrics_exporters=["none"], traces_exporters=["none"], machine=[])
    for _ in range(3):
        order()

    data = reader.get_metrics_data()
    for resource in data.resource_metrics if data else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    value = point.value if isinstance(point, NumberDataPoint) else point.count
                    print(f"{scope.scope.name}: {metric.name} {value}")
