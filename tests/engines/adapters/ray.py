# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Ray."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from engines.adapters.batch import ProgramAdapter


class RayAdapter(ProgramAdapter):
    """Tasks and actors on a cluster of one machine; a local mode Ray has no longer."""

    name = "Ray"
    engine = "ray"
    program = "ray_program.py"
    lacks: ClassVar[Mapping[str, str]] = {"timed_out": "get(timeout) stops waiting, the task goes on"}
