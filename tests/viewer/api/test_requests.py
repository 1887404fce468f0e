# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Requests that are wrong, in part or in whole, and other forms of the same answer."""

from __future__ import annotations

import csv
import io
import json

import pytest
from support.viewer_shop import STEPS, Shop


@pytest.mark.parametrize(
    ("path", "parameters", "words"),
    [
        ("overview", {"from_": "yesterday"}, 'Expected "now"'),
        ("overview", {"from_": "2026-13-45T00:00:00Z"}, "Expected a time"),
        ("overview", {"from_": "now", "to": "-1h"}, "Expected `from` before `to`"),
        ("overview", {"columns": "0"}, "columns"),
        ("overview", {"colums": "5"}, "colums"),
        ("overview", {"step": "null"}, "step"),
        ("overview", {"step": "0.1", "from_": "-30d"}, "at most 3000 steps"),
        ("overview", {"q": 'name:"open'}, "Expected a term"),
        ("overview", {"q": "duration:1s"}, "duration>1s"),
        ("overview", {"format": "xml"}, "format"),
        ("traces", {"limit": "many"}, "limit"),
        ("traces", {"cursor": "abc"}, "cursor"),
        ("metrics/service.requests", {"view": "heatmap"}, "Expected one of rate, increase"),
        ("moments/" + "0" * 32, {"span": "short"}, "span"),
        ("overview", {"format": "csv", "part": "nothing.there"}, "part"),
    ],
)
def test_a_mistake_is_told(shop: Shop, path: str, parameters: dict[str, str], words: str) -> None:
    """400, as JSON, with what was expected and where."""
    answer = shop.get(path, **parameters)
    assert answer.status == 400
    problem = json.loads(answer.body)
    assert problem["error"] == "invalid"
    assert words in problem["message"]


@pytest.mark.parametrize(
    "path",
    [
        "services/nobody",
        "traces/" + "0" * 32,
        "traces/not-a-trace",
        "inference/nothing",
        "batch/nothing",
        "hosts/nothing",
        "metrics/nothing",
        "cells?service=nobody",
        "nothing/at/all",
    ],
)
def test_what_is_not_there_is_missing(shop: Shop, path: str) -> None:
    """404, as JSON."""
    answer = shop.get(path)
    assert answer.status == 404
    assert json.loads(answer.body)["error"] == "not_found"


def test_a_parameter_twice_is_a_mistake(shop: Shop) -> None:
    """Nobody knows which was meant."""
    answer = shop.get("overview?from=-1h&from=-2h")
    assert answer.status == 400
    assert b"several times" in answer.body


def test_a_page_comes_as_csv(shop: Shop) -> None:
    """All its lines; or a table; or a heatmap."""
    lines = _rows(shop, "services/checkout", format="csv")
    assert lines[0] == ["chart", "name", "unit", "time", "value"]
    assert any(row[0] == "actions.charge.requests" for row in lines)
    table = _rows(shop, "overview", format="csv", part="services")
    assert "name" in table[0]
    assert {row[0] for row in table[1:]} >= {"checkout", "catalog"}
    cells = _rows(shop, "services/checkout", format="csv", part="chosen.heatmap", action="quote", from_="-10m")
    assert cells[0] == ["time", "above", "up_to", "unit", "count"]
    assert sum(int(row[4]) for row in cells[1:]) == STEPS * 100


def _rows(shop: Shop, path: str, **parameters: str) -> list[list[str]]:
    answer = shop.get(path, **parameters)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.reader(io.StringIO(answer.body.decode())))


def test_a_name_that_a_spreadsheet_would_run_is_text() -> None:
    """Anybody who may send may choose names."""
    from otelkit.viewer.api import table
    from otelkit.viewer.api.shapes.health import Suggestion, Suggestions

    named = Suggestions(suggestions=[Suggestion(text="=cmd()", kind="key", detail="-")])
    assert "'=cmd()" in table.render(named, "suggestions")


def test_a_fixed_range_shows_the_same_whenever_it_is_asked(shop: Shop) -> None:
    """Absolute times, as a link has them."""
    end = shop.end_ns / 1e9
    times = {"from_": str(end - 240), "to": str(end - 60)}
    first, second = (shop.json("services/catalog", **times) for _ in range(2))
    assert first["chosen"] == second["chosen"]
    assert not first["range"]["live"]


def test_steps_lie_on_round_times(shop: Shop) -> None:
    """So a live range moves by whole steps."""
    axis = shop.json("overview", from_="-15m", columns=60)["range"]["axis"]
    assert axis["step"] == 15
    assert axis["start"] % 15 == 0
