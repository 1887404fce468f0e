# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Writes docs/dashboard/*.png: `make screenshots`, with the address of a running viewer.

The pictures are of whatever that viewer shows: `otelkit demo`, a few minutes after its fault began.
"""

from __future__ import annotations

import argparse
import io
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

FOLDER = Path(__file__).parents[2] / "docs" / "dashboard"
COLOURS = 128


def main() -> None:
    """Visit the pages, and keep a picture of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="the address with its token, as the viewer prints it")
    url = parser.parse_args().url
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for scheme in ("dark", "light"):
            page = chromium.new_page(viewport={"width": 1440, "height": 900}, color_scheme=scheme)
            page.goto(f"{url}#/metrics")
            for name, route in _routes(page).items():
                if scheme == "light" and name not in ("overview", "service"):
                    continue
                _visit(page, route)
                _keep(page, f"{name}-{scheme}")
        phone = chromium.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark", has_touch=True)
        phone.goto(f"{url}#/metrics")
        _visit(phone, "#/")
        _keep(phone, "overview-phone")
        chromium.close()


def _routes(page: Page) -> dict[str, str]:
    """Find the names that this viewer has."""
    ask = """async (path) => (await fetch("api/v1/" + path)).json()"""
    overview = page.evaluate(ask, "overview")
    service = overview["services"][0]["name"]
    shown = page.evaluate(ask, f"services/{service}")
    exemplars = [each for each in shown["chosen"]["exemplars"] if each["kept"]]
    slowest = max(exemplars, key=lambda each: each["value"])
    trace = f"trace={slowest['trace_id']}&span={slowest['span_id']}"
    routes = {
        "overview": "#/",
        "service": f"#/services/{service}?{trace}",
        "traces": "#/traces",
        "trace": f"#/traces/{slowest['trace_id']}",
        "batch": f"#/batch/{overview['batch'][0]['key']}" if overview["batch"] else "#/batch",
        "hosts": f"#/hosts/{overview['machine']['host']}",
        "metric": "#/metrics/service.response_time",
    }
    if overview["inference"]:
        routes["inference"] = f"#/inference/{overview['inference'][0]['key']}"
    return routes


def _visit(page: Page, route: str) -> None:
    page.evaluate(
        "(hash) => { document.getElementById('content').setAttribute('aria-busy', 'true'); location.hash = hash; }",
        route,
    )
    expect(page.locator("#content[aria-busy=false] > *").first).to_be_attached(timeout=60_000)
    if "trace=" in route:
        expect(page.get_by_role("link", name="Open trace")).to_be_visible(timeout=60_000)
    page.mouse.move(2, 890)
    page.wait_for_timeout(1_500)  # what is fetched after the page itself: the peek, the metrics of a moment


def _keep(page: Page, name: str) -> None:
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    path = FOLDER / f"{name}.png"
    picture.quantize(COLOURS).save(path, optimize=True)
    print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
