# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What the demo says about itself."""

from __future__ import annotations

from typing import NamedTuple


class Header(NamedTuple):
    """Where to look, and for how long; ``duration_s`` is None for a demo without end."""

    metrics_url: str
    data_folder: str
    duration_s: float | None
