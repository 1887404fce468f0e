# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The machine and the installation: versions, other providers and distributions, fork model, GPU."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, entry_points, version

from otelkit.cli._findings import Finding, Status
from otelkit.exceptions import did_you_mean

__all__ = ("check_environment", "check_fork_model", "check_gpu", "check_providers")

# Distributions that install providers of their own as the program starts.
_AGENTS = (
    "aws-opentelemetry-distro",
    "azure-monitor-opentelemetry",
    "ddtrace",
    "elastic-opentelemetry",
    "logfire",
    "newrelic",
    "openlit",
    "splunk-opentelemetry",
    "traceloop-sdk",
)

_UWSGI = (
    "uWSGI forks in C, and runs no threads and none of Python's fork hooks unless told to.",
    "Start it with --enable-threads --py-call-osafterfork.",
)
_SERVERS = {
    "gunicorn": (
        "gunicorn forks its workers. otelkit starts afresh in each, as a service instance of its own.",
        "Nothing to do: the workers share one /metrics. With --user and --preload, set workers_folder for both users.",
    ),
    "uwsgi": _UWSGI,
    "pyuwsgi": _UWSGI,
    "celery": (
        "Celery's prefork pool forks its workers. otelkit starts afresh in each.",
        "If the program calls otelkit.configure itself, do so on the worker_process_init signal.",
    ),
    "uvicorn": (
        "uvicorn --workers and --reload start processes that each set otelkit up anew.",
        "Nothing to do: the workers share one /metrics.",
    ),
}


def installed(distribution: str) -> str | None:
    """Return the version of an installed distribution, or None."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def check_environment() -> list[Finding]:
    """Tell the versions that matter, and whether OpenTelemetry's fit each other."""
    section = "Versions"
    api, sdk = installed("opentelemetry-api"), installed("opentelemetry-sdk")
    python = f"Python {platform.python_version()} ({sys.executable})"
    text = f"otelkit {installed('otelkit')}, OpenTelemetry API {api}, SDK {sdk}, {python}, {platform.system()}."
    findings = [Finding(section, "versions", Status.OK, text)]
    if api != sdk:
        findings.append(
            Finding(
                section,
                "versions.opentelemetry",
                Status.WARNING,
                f"OpenTelemetry's API ({api}) and SDK ({sdk}) are of different releases.",
                "pip install --upgrade opentelemetry-api opentelemetry-sdk",
            )
        )
    return findings


# -- providers --------------------------------------------------------------------------------------------------------


def check_providers() -> list[Finding]:
    """Tell which providers and distributions would be installed besides, or instead of, otelkit's."""
    findings = [*_chosen_providers(), *_distributions(), *_agents()]
    if not findings:
        text = "No other provider, distribution or agent is installed."
        findings.append(Finding("Providers", "providers", Status.OK, text))
    return findings


def _chosen_providers() -> Iterator[Finding]:
    for kind in ("tracer", "meter"):
        variable, group = f"OTEL_PYTHON_{kind.upper()}_PROVIDER", f"opentelemetry_{kind}_provider"
        chosen = os.environ.get(variable)
        names = entry_points(group=group).names
        if chosen and chosen not in names:
            yield Finding(
                "Providers",
                f"providers.{kind}",
                Status.BROKEN,
                f"{variable}={chosen}, but no installed package offers that: the program's first use of the API fails.",
                f"Unset it. {did_you_mean(chosen, names)}".rstrip(),
            )
        elif chosen:
            yield Finding(
                "Providers",
                f"providers.{kind}",
                Status.WARNING,
                f"{variable}={chosen} installs a provider before otelkit does; otelkit joins it.",
                f"Unset {variable} unless that is wanted.",
            )


def _distributions() -> Iterator[Finding]:
    for group, variable in (
        ("opentelemetry_distro", "OTEL_PYTHON_DISTRO"),
        ("opentelemetry_configurator", "OTEL_PYTHON_CONFIGURATOR"),
    ):
        found = {point.name: point.dist.name if point.dist else "?" for point in entry_points(group=group)}
        others = sorted(f"{name} ({dist})" for name, dist in found.items() if name != "otelkit")
        chosen = os.environ.get(variable)
        if others and chosen != "otelkit":
            yield Finding(
                "Providers",
                f"providers.{group.removeprefix('opentelemetry_')}",
                Status.WARNING,
                f"{', '.join(others)} is registered for {group} too: opentelemetry-instrument takes "
                + (f"{chosen}, by {variable}." if chosen else "whichever it finds first."),
                f"Set {variable}=otelkit, or use `otelkit run`, which does.",
            )


def _agents() -> Iterator[Finding]:
    for name in _AGENTS:
        if found := installed(name):
            yield Finding(
                "Providers",
                "providers.agent",
                Status.NOTE,
                f"{name} {found} is installed, which may install providers of its own.",
                "Let it start first, then call otelkit.configure(): otelkit joins providers that are there.",
            )


# -- fork model -------------------------------------------------------------------------------------------------------


def check_fork_model() -> list[Finding]:
    """Tell what to know about the servers and workers that are installed."""
    findings = [
        Finding("Processes", f"fork.{name}", Status.NOTE, text, fix)
        for name, (text, fix) in _SERVERS.items()
        if installed(name)
    ]
    if not findings:
        text = "No pre-forking server is installed; processes forked by os.fork or multiprocessing are handled."
        findings.append(Finding("Processes", "fork", Status.OK, text))
    return findings


# -- GPU --------------------------------------------------------------------------------------------------------------


_GPU_FIX = "Run nvidia-smi; a driver update without a restart, or a GPU that fell off the bus, is the usual reason."


def check_gpu() -> list[Finding]:
    """Tell whether an NVIDIA driver answers, and for how many devices."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        absent = getattr(error, "value", None) in (
            pynvml.NVML_ERROR_LIBRARY_NOT_FOUND,
            pynvml.NVML_ERROR_DRIVER_NOT_LOADED,
        )
        if absent:
            return [Finding("GPU", "gpu", Status.NOTE, "No NVIDIA driver on this machine: no GPU metrics.")]
        text = f"The NVIDIA driver does not start: {error}. No GPU metrics."
        return [Finding("GPU", "gpu", Status.WARNING, text, _GPU_FIX)]
    try:
        driver, names, errors = pynvml.nvmlSystemGetDriverVersion(), [], []
        for index in range(pynvml.nvmlDeviceGetCount()):
            try:
                names.append(pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(index)))
            except pynvml.NVMLError as error:
                errors.append(f"GPU {index}: {error}")
    except pynvml.NVMLError as error:
        driver, names, errors = "of unknown version", [], [str(error)]
    finally:
        pynvml.nvmlShutdown()
    text = f"NVIDIA driver {driver}, {len(names)} device(s): {', '.join(names) or 'none'}."
    findings = [Finding("GPU", "gpu", Status.OK if names else Status.NOTE, text)]
    if errors:
        text = f"The NVIDIA driver answers with errors: {'; '.join(errors)}."
        findings.append(Finding("GPU", "gpu.errors", Status.WARNING, text, _GPU_FIX))
    return findings
