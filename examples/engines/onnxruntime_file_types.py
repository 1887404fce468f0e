# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime, instrumented by name, inside of a program that never mentions it: magika tells files' types."""

from pathlib import Path

import magika

import otelkit
from otelkit.instruments.registry import default_registry

if __name__ == "__main__":
    otelkit.configure(service_name="file-types", metrics_exporters=["none"], traces_exporters=["none"], machine=[])
    otelkit.instrument("onnxruntime")
    detector = magika.Magika()
    found = detector.identify_paths(sorted(Path(magika.__file__).parent.glob("*.py")))
    print({result.output.label for result in found if result.ok})
    print(detector.identify_bytes(b"#!/bin/sh\nset -e\nfor f in *.txt; do\n  echo $f\ndone\n").output.label)
    for metric, points in sorted(default_registry.snapshot(), key=lambda each: each.metric.name):
        for point in points if metric.name in ("inference.requests", "inference.sessions") else ():
            print(metric.name, *point.attributes.values(), int(point.value))
