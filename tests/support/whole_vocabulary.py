# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Prometheus with everything that otelkit can tell: the demo, every metric of the vocabulary, and GPUs."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from stack import parts
from stack.ports import Ports
from support.otlp_receiver import OtlpReceiver
from support.talking_program import TalkingProgram

TESTS = Path(__file__).parents[1]
PROGRAMS = TESTS / "stack" / "programs"
FAKE_NVML = TESTS / "devices" / "fake_nvml" / "nvml.c"


@contextmanager
def whole_vocabulary(folder: Path, demo_s: float) -> Iterator[str]:
    """
    Start Prometheus with the committed rules, and programs that send to it; yield its URL.

    Args:
        folder: For logs and data.
        demo_s: How long the demo's system runs; it is over when the block is entered, the others go on.
    """
    address = Ports(free=True).address(9090)
    part = parts.prometheus(folder, address, {"collectors": [], "programs": [], "telemetry": []}, scrape_s=1)
    with ExitStack() as closing:
        closing.callback(part.stop)
        part.start()
        part.wait_ready()
        receiver = closing.enter_context(OtlpReceiver())
        sent = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"http://{address}/api/v1/otlp/v1/metrics",
        }
        driver = {"LD_LIBRARY_PATH": str(_compiled(folder)), "OTEL_SERVICE_NAME": "trainer"}
        start = closing.enter_context
        program = start(TalkingProgram(PROGRAMS / "vocabulary.py", folder, OTEL_SERVICE_NAME="orders", **sent))
        gpus = start(TalkingProgram(PROGRAMS / "gpu.py", folder, **driver, **sent))
        # Scraped as well, under a name of its own: the other road, and what only scrapes tell.
        target = [{"targets": [urlsplit(program.answer).netloc.replace("localhost", "127.0.0.1")]}]
        (folder / "prometheus" / "targets" / "programs.yaml").write_text(json.dumps(target))
        start(TalkingProgram(PROGRAMS / "demo.py", folder, str(demo_s), OTEL_SERVICE_NAME="demo", **sent))
        for each in (program, gpus):
            assert each.say("flush") == "True"
        yield f"http://{address}"


def _compiled(folder: Path) -> Path:
    """Return a folder with the fake driver of tests/devices."""
    compiler = shutil.which("gcc")
    assert compiler, "Expected gcc on PATH, to compile the fake NVML."
    library = folder / "nvml" / "libnvidia-ml.so.1"
    library.parent.mkdir()
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(FAKE_NVML)], check=True)
    return library.parent
