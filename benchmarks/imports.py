# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Whole-process import times, and what importing otelkit drags in."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from time import perf_counter

from benchmarks import environments
from benchmarks.contest import Results

SDK = "opentelemetry.sdk.metrics, opentelemetry.sdk.trace"

STATEMENTS: Mapping[str, tuple[str, str]] = {
    "nothing": ("main", "pass"),
    "sdk": ("main", f"import {SDK}"),
    "otelkit": ("main", "import otelkit"),
    "sdk+otelkit": ("main", f"import {SDK}, otelkit"),
    "prometheus": ("main", "import prometheus_client"),
    "autometrics-otel": ("autometrics", "import autometrics"),
    "logfire": ("logfire", "import logfire"),
}
"""What is started, by key: the environment and the statement."""

UNWANTED = (
    "grpc", "google", "requests", "urllib3", "pynvml", "psutil", "prometheus_client", "msgspec", "http.server",
    "opentelemetry.exporter", "starlette", "uvicorn", "fastapi", "flask", "django", "aiohttp", "numpy", "torch",
    "asyncio", "multiprocessing",
)  # fmt: skip
"""What `import otelkit` should leave for the first use of it; the last two cost more than otelkit itself."""


def measure(results: Results, times: int) -> None:
    """Start each statement's interpreter ``times`` times, in turns; seconds go under case ``import``."""
    for _ in range(times):
        for key, (environment, statement) in STATEMENTS.items():
            if not environments.python(environment).exists():
                continue
            command = [environments.python(environment), "-c", statement]
            start = perf_counter()
            done = subprocess.run(command, cwd=environments.ROOT, capture_output=True, text=True)
            if done.returncode:
                results.errors.append(f"{statement}: {done.stderr.strip()[-200:]}")
                return
            results.values["import", key].append(perf_counter() - start)


def loaded(statement: str = "import otelkit") -> list[str]:
    """The modules that ``statement`` loads into a fresh interpreter."""
    code = "import json, sys\nbefore = set(sys.modules)\n{}\nprint(json.dumps(sorted(set(sys.modules) - before)))"
    command = [environments.python("main"), "-c", code.format(statement)]
    done = subprocess.run(command, cwd=environments.ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def unwanted() -> list[str]:
    """Which of ``UNWANTED`` are loaded by ``import otelkit``."""
    modules = loaded()
    return [name for name in UNWANTED if any(one == name or one.startswith(name + ".") for one in modules)]


def slowest(statement: str = "import otelkit", count: int = 20) -> str:
    """The ``count`` modules that cost most by themselves, from ``-X importtime``."""
    command = [environments.python("main"), "-X", "importtime", "-c", statement]
    done = subprocess.run(command, cwd=environments.ROOT, capture_output=True, text=True, check=True)
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:") and "self [us]" not in line]
    lines.sort(key=lambda line: int(line.split(":")[1].split("|")[0]), reverse=True)
    return "\n".join(lines[:count])


if __name__ == "__main__":
    print(slowest(" ".join(sys.argv[1:]) or "import otelkit"))
