# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What becomes of a number that several workers report: added, chosen from, or shown one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from otelkit import semconv
from otelkit._core._snapshot import Kind, Metric
from otelkit.instruments.registry import AcrossWorkers

__all__ = ("POLICIES", "Policy", "PolicyOf", "default_policy", "is_of_the_host")

Policy = AcrossWorkers
"""
``sum``: of the live workers (a counter's: of the dead ones too). ``total``: of live and dead ones, for a level that
one worker raises and another lowers. ``max``, ``min``: of the live ones. ``latest``: what was set last, also by a
worker that is gone. ``each``: one series per live worker, with its process.pid.
"""

POLICIES: tuple[Policy, ...] = get_args(Policy)

PolicyOf = Callable[[Metric], Policy]

_OF_THE_HOST = ("system.", "hw.")
_OF_A_PROCESS = ("process.", "cpython.", "otelkit.")


def is_of_the_host(name: str) -> bool:
    """Tell whether all workers of one machine report the same under ``name``."""
    return name.startswith(_OF_THE_HOST) and name != semconv.HW_GPU_PROCESS_MEMORY_USAGE.name


def default_policy(metric: Metric) -> Policy:
    """
    Return the policy of a metric about which nobody said anything.

    Counters and up-down counters are added up, of a gauge the latest value counts. What the host or a device tells is
    the same in all workers and is not added; what a process tells of itself is.
    """
    name = metric.name
    if name == semconv.PROCESS_UPTIME.name:
        return "max"
    if is_of_the_host(name):
        return "max" if metric.kind is Kind.COUNTER else "latest"
    if name.startswith(_OF_A_PROCESS) or name == semconv.HW_GPU_PROCESS_MEMORY_USAGE.name:
        return "sum"
    return "latest" if metric.kind is Kind.GAUGE else "sum"
