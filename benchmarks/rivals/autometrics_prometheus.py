# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""autometrics with its prometheus tracker: the decorator as its documentation shows it, concurrency tracked."""

from __future__ import annotations

from benchmarks.rivals import _autometrics

DISTRIBUTIONS = ("autometrics",)

CASES = _autometrics.cases("prometheus")
