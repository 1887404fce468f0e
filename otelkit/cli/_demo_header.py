# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What the demo says about itself."""

from __future__ import annotations

from typing import NamedTuple


class Header(NamedTuple):
    """
    Where to look, and for how long.

    Attributes:
        duration_s: None for a demo without end.
        dashboard_url: With the token; None where the dashboard is not installed.
    """

    metrics_url: str
    data_folder: str
    duration_s: float | None
    dashboard_url: str | None = None
