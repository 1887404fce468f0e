# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The first page."""

from __future__ import annotations

import msgspec

from otelkit.viewer.api.shapes.axis import Range
from otelkit.viewer.api.shapes.batch import JobRow
from otelkit.viewer.api.shapes.finding import Finding, Headline
from otelkit.viewer.api.shapes.host import Machine
from otelkit.viewer.api.shapes.inference import ModelRow
from otelkit.viewer.api.shapes.service import ServiceRow


class Overview(msgspec.Struct, kw_only=True):
    """
    Is anything wrong, where, since when.

    Attributes:
        findings: Worst first, all of them; the page shows five.
        machine: The host that sends most, null if none reports its own state.
    """

    range: Range
    headline: Headline
    findings: list[Finding]
    services: list[ServiceRow]
    inference: list[ModelRow]
    batch: list[JobRow]
    machine: Machine | None
