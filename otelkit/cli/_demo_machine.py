# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Host, process and GPUs in a line each, read by the code that also feeds the exported metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from otelkit import semconv
from otelkit._core._snapshot import Metric
from otelkit.devices import _part as part
from otelkit.devices import gpu, host, process

IDLE = ("idle", "iowait")


class Reading(NamedTuple):
    """One line: what it is of, and the values as text."""

    name: str
    text: str


class Machine:
    """
    Looks at the machine whenever a screen is drawn.

    With parts of its own: a share of CPU time is that since the part's last
    reading, and the exporters' must stay theirs.
    """

    def __init__(self) -> None:
        self._host = part.Sampled("host", host.Host)
        self._process = part.Sampled("process", process.Process)
        self._gpus = part.Sampled("gpu", gpu.Gpus)

    def readings(self) -> list[Reading]:
        """Return a line for the host, one for this process and one per GPU."""
        return [host_line(self._host()), process_line(self._process()), *gpu_lines(self._gpus())]

    def close(self) -> None:
        """Let the parts go."""
        for sampled in (self._host, self._process, self._gpus):
            sampled.close()


def host_line(reading: part.Reading) -> Reading:
    """Say how busy the CPUs are since the last reading, and how much memory is in use."""
    cores: dict[object, float] = {}
    for value, labels in reading.get(semconv.SYSTEM_CPU_UTILIZATION, ()):
        busy = 0.0 if labels[semconv.CPU_MODE] in IDLE else value
        cores[labels[semconv.CPU_LOGICAL_NUMBER]] = cores.get(labels[semconv.CPU_LOGICAL_NUMBER], 0.0) + busy
    total = _first(reading, semconv.SYSTEM_MEMORY_LIMIT)
    available = _first(reading, semconv.SYSTEM_MEMORY_LINUX_AVAILABLE)
    return _reading(
        "host",
        _said(
            "cpu", sum(cores.values()) / len(cores) if cores else None, lambda share: f"{share:4.0%} of {len(cores)}"
        ),
        _said("memory", None if None in (total, available) else (total or 0) - (available or 0), _size)
        + (f" of {_size(total)}" if total else ""),
    )


def process_line(reading: part.Reading) -> Reading:
    """Say what this process takes."""
    return _reading(
        "process",
        _said("cpu", _first(reading, semconv.PROCESS_CPU_UTILIZATION), "{:4.0%}".format),
        _said("memory", _first(reading, semconv.PROCESS_MEMORY_USAGE), _size),
        _said("threads", _first(reading, semconv.PROCESS_THREAD_COUNT), "{:.0f}".format),
        _said("files", _first(reading, semconv.PROCESS_UNIX_FILE_DESCRIPTOR_COUNT), "{:.0f}".format),
    )


def gpu_lines(reading: part.Reading) -> list[Reading]:
    """Return a line per GPU, with what it can tell."""
    names = {
        labels[semconv.HW_ID]: str(labels.get(semconv.HW_NAME, ""))
        for values in reading.values()
        for _, labels in values
        if semconv.HW_ID in labels
    }
    if not names:
        return [Reading("gpu", "none found")]
    return [_gpu(f"gpu {number}", name, _of(reading, key)) for number, (key, name) in enumerate(names.items())]


def _gpu(line: str, name: str, reading: part.Reading) -> Reading:
    limit = _first(reading, semconv.HW_GPU_MEMORY_LIMIT)
    core = {semconv.HW_SENSOR_LOCATION: "gpu"}
    return _reading(
        line,
        name,
        "failed" if _first(reading, semconv.HW_STATUS, {semconv.HW_STATE: "failed"}) else "",
        _said("busy", _first(reading, semconv.HW_GPU_UTILIZATION, {semconv.HW_GPU_TASK: "general"}), "{:4.0%}".format),
        _said("memory", _first(reading, semconv.HW_GPU_MEMORY_USAGE), _size) + (f" of {_size(limit)}" if limit else ""),
        _said("", _first(reading, semconv.HW_TEMPERATURE, core), "{:.0f} °C".format),
        _said("", _first(reading, semconv.HW_POWER), "{:.0f} W".format),
    )


def _of(reading: part.Reading, gpu_id: object) -> part.Reading:
    """Return what ``reading`` says of one GPU."""
    return {
        metric: [(value, labels) for value, labels in values if labels.get(semconv.HW_ID) == gpu_id]
        for metric, values in reading.items()
    }


def _first(reading: part.Reading, metric: Metric, wanted: part.Labels | None = None) -> float | None:
    found = (value for value, labels in reading.get(metric, ()) if (wanted or {}).items() <= labels.items())
    return next(found, None)


def _said(name: str, value: float | None, text: Callable[[float], str]) -> str:
    """Return ``name value``; nothing where there is no value, which is not a zero."""
    return "" if value is None else f"{name} {text(value)}".strip()


def _reading(name: str, *values: str) -> Reading:
    return Reading(name, "   ".join(value for value in values if value))


def _size(size_bytes: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size_bytes < 1024 or unit == "GiB":
            break
        size_bytes /= 1024
    return f"{size_bytes:.{1 if size_bytes < 100 else 0}f} {unit}"
