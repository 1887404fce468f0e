# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The published matrix, docs/fork.md: what was run, and what arrived."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[2] / "docs" / "fork.md"
_BEGIN, _END = "<!-- matrix -->\n", "<!-- end -->\n"


class Row(NamedTuple):
    """One line of the table."""

    server: str
    start: str
    recycled: str
    work: int
    calls: int
    added: int
    spans: int


def page(rows: list[Row]) -> str:
    """Return the page with ``rows`` in place of those that it has."""
    before, _, rest = PAGE.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    lines = [
        "| server or pool | workers start by | recycled | work done | counted by otelkit | by the SDK | spans |",
        "|---|---|---|---:|---:|---:|---:|",
        *("| " + " | ".join(map(str, row)) + " |" for row in sorted(rows)),
    ]
    return before + _BEGIN + "\n".join(lines) + "\n" + _END + after
