# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The whole system of `otelkit demo`, sending by OTLP and serving /metrics, for as long as the argument says, in seconds.

It then answers each line with its own page, as one line of JSON, after all was delivered.
"""

import json
import sys
import time
import urllib.request

from demo_system.system import System

import otelkit
from otelkit.exporters.prometheus import PrometheusReader
from otelkit.pipeline import current


def page() -> str:
    """Return what /metrics answers."""
    telemetry = current()
    assert telemetry is not None
    reader = next(each for each in telemetry.readers if isinstance(each, PrometheusReader))
    request = urllib.request.Request(reader.url, headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode()


def main() -> None:
    """Run it, stop it, and tell."""
    otelkit.configure(metrics_exporters=["otlp", "prometheus"], prometheus_port=0)
    system = System(fault_after_s=None)
    for _ in system.start():
        pass
    time.sleep(float(sys.argv[1]))
    system.close()
    print("done", flush=True)
    for _ in sys.stdin:
        assert otelkit.flush(timeout_s=30)
        print(json.dumps(page()), flush=True)


if __name__ == "__main__":
    main()
