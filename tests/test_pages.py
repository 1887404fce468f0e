# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Generated pages are what the code says now."""

from __future__ import annotations

from pathlib import Path

import pytest

from otelkit import semconv
from otelkit._core._snapshot import Metric
from otelkit._pages import PAGES

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.parametrize("page", PAGES)
def test_page_is_current(page: str) -> None:
    """`make docs` would change nothing."""
    assert (DOCS / f"{page}.md").read_text(encoding="utf-8") == PAGES[page]()


def test_no_self_metric_is_missing() -> None:
    """Every otelkit.* metric of semconv is in the table."""
    named = {each for each in vars(semconv).values() if isinstance(each, Metric) and each.name.startswith("otelkit.")}
    assert named == {metric for metric, _ in semconv.SELF_METRICS}
