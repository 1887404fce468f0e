# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Writes docs/dashboards/*.png: `make pictures`.

Each panel's query, answered by a real Prometheus to which the demo and the test's programs send, plotted in the
dashboard's own arrangement. Grafana is not to be had where only language packages are: these are no screenshots of it.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from support.stack_queries import ask
from support.whole_vocabulary import whole_vocabulary

import otelkit.viewer
from otelkit.dashboards.catalogue import DASHBOARDS
from otelkit.dashboards.panel import Dashboard, Panel, Query
from otelkit.rules.expressions import executable

FOLDER = Path(__file__).parents[2] / "docs" / "dashboards"
TEMPLATE = Path(__file__).with_name("pictures.html")
UPLOT = Path(otelkit.viewer.__file__).parent / "static" / "vendor" / "uPlot.esm.js"
WINDOW = "30s"
STEP_S = 2
COLOURS = 128
MANY = 12
"""Series of a panel; further ones would hide each other."""
SLOWEST = 20
"""Exemplars of a panel, likewise, and as many of the others."""


class Pictures:
    """
    Pictures of dashboards, of what one Prometheus has.

    Args:
        url: Of the Prometheus.
        span_s: How long they look back.
    """

    def __init__(self, url: str, span_s: int) -> None:
        self._url = url
        self._end = int(time.time())
        self._times = list(range(self._end - span_s, self._end + 1, STEP_S))

    def keep(self, browser: Browser, dashboard: Dashboard) -> None:
        """Plot a dashboard into its file."""
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        uplot = UPLOT.read_text().replace("export { uPlot as default };", "window.uPlot = uPlot;")
        page.set_content(TEMPLATE.read_text().replace("/*UPLOT*/", uplot))
        page.evaluate(f"show({json.dumps(self._answers(dashboard))})")
        picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
        picture.quantize(COLOURS).save(FOLDER / f"{dashboard.uid}.png", optimize=True)
        page.close()

    def _answers(self, dashboard: Dashboard) -> dict[str, Any]:
        rows = [{"title": row.title, "panels": [self._panel(each) for each in row.panels]} for row in dashboard.rows]
        return {"title": dashboard.title, "rows": rows}

    def _panel(self, panel: Panel) -> dict[str, Any]:
        series = [each for query in panel.queries for each in self._series(query)]
        found = [each for query in panel.queries if query.exemplars for each in self._exemplars(query)]
        return {
            "title": panel.title,
            "kind": panel.kind,
            "unit": panel.unit,
            "width": panel.width,
            "limit": panel.limit,
            "empty": panel.empty,
            "times": self._times,
            "series": series if panel.kind == "heatmap" else series[:MANY],
            "exemplars": found,
        }

    def _series(self, query: Query) -> list[dict[str, Any]]:
        asked = {"start": self._times[0], "end": self._times[-1], "step": STEP_S}
        text = executable(query.expression, WINDOW)
        result = ask(f"{self._url}/api/v1/query_range", query=text, **asked)["data"]["result"]
        return [
            {"name": _name(query.legend, each["metric"]), "values": self._on_times(each["values"])} for each in result
        ]

    def _on_times(self, samples: list[tuple[float, str]]) -> list[float | None]:
        known = {round(at): float(value) for at, value in samples}
        return [None if not math.isfinite(known.get(at, math.nan)) else known[at] for at in self._times]

    def _exemplars(self, query: Query) -> list[tuple[float, float]]:
        text = executable(query.expression, WINDOW)
        found = ask(f"{self._url}/api/v1/query_exemplars", query=text, start=self._times[0], end=self._times[-1])
        points = sorted((float(each["value"]), each["timestamp"]) for of in found["data"] for each in of["exemplars"])
        slowest, others = points[-SLOWEST:], points[:-SLOWEST]
        some = others[:: len(others) // SLOWEST + 1]
        return [(at, value) for value, at in (*slowest, *some)]


def _name(legend: str, labels: dict[str, str]) -> str:
    return re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), legend).strip()


def main() -> None:
    """Run the programs, wait, and plot; or plot what a Prometheus that runs already has."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="a Prometheus that has it all already")
    parser.add_argument("--span", type=int, default=180, help="seconds that the pictures look back")
    arguments = parser.parse_args()
    if arguments.url:
        plot(arguments.url, arguments.span)
        return
    with tempfile.TemporaryDirectory() as folder, whole_vocabulary(Path(folder), arguments.span) as url:
        plot(url, arguments.span)


def plot(url: str, span_s: int) -> None:
    """Write all pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    pictures = Pictures(url, span_s)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for dashboard in DASHBOARDS:
            pictures.keep(browser, dashboard)
        browser.close()


if __name__ == "__main__":
    main()
