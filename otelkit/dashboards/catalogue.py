# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""All dashboards."""

from __future__ import annotations

from otelkit.dashboards.gpu import GPU
from otelkit.dashboards.inference import INFERENCE
from otelkit.dashboards.jobs import JOBS
from otelkit.dashboards.panel import Dashboard
from otelkit.dashboards.services import SERVICES
from otelkit.dashboards.system import SYSTEM

__all__ = ("DASHBOARDS",)

DASHBOARDS: tuple[Dashboard, ...] = (SERVICES, SYSTEM, GPU, JOBS, INFERENCE)
"""In the order in which somebody who looks for a fault would open them."""
