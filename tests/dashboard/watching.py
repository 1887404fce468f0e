# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A page under watch: whatever the browser complains of fails the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from dashboard.viewers import Viewer
from playwright.sync_api import Browser, Page, expect

PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)

MODEL, JOB, HOST, METRIC = "torch:MiniLM-L6", "score-nightly", "node-1", "service.requests"
INVENTED_TRACE = "7f3a00000000000000000000000bc41e"
INVENTED = {
    "overview": "#/",
    "services": "#/services",
    "service": "#/services/checkout",
    "peek": f"#/services/checkout?trace={INVENTED_TRACE}&span=00000000000000cc",
    "traces": "#/traces",
    "trace": f"#/traces/{INVENTED_TRACE}?span=00000000000000cc",
    "inference": "#/inference",
    "model": f"#/inference/{quote(MODEL)}",
    "batch": "#/batch",
    "job": f"#/batch/{JOB}",
    "hosts": "#/hosts",
    "host": f"#/hosts/{HOST}",
    "metrics": "#/metrics",
    "metric": f"#/metrics/{METRIC}",
    "otelkit": "#/otelkit",
}
"""Every kind of page, with invented answers."""


@contextmanager
def watched(
    browser: Browser, viewer: Viewer, route: str = "", *, expected: tuple[str, ...] = (), **options: Any
) -> Iterator[Page]:
    """
    Open the viewer and yield its page; complaints and requests to elsewhere fail at the end.

    Args:
        route: Where to, "#/services".
        expected: Parts of complaints that belong to the test.
    """
    context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"} | options)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda m: m.type in ("error", "warning") and complaints.append(f"{m.text} {m.location}"))
    page.on("pageerror", lambda error: complaints.append(str(error.stack or error)))
    page.on("request", lambda r: r.url.startswith((viewer.address, "data:", "blob:")) or complaints.append(r.url))
    page.add_init_script(
        "addEventListener('securitypolicyviolation', (e) => console.error('CSP', e.violatedDirective, e.blockedURI))"
    )
    try:
        page.goto(viewer.url + route)
        yield page
        found = [each for each in complaints if not any(part in each for part in expected)]
        assert not found
    finally:
        context.close()


def show(page: Page, route: str) -> None:
    """Go to a route as a link would, and wait until its own data is drawn."""
    drawn(page)  # else the end of what it is loading would pass for that of the route
    page.evaluate(
        "(hash) => { document.getElementById('content').setAttribute('aria-busy', 'true'); location.hash = hash; }",
        route,
    )
    drawn(page)


def drawn(page: Page) -> None:
    """Wait until the page has drawn something of its own, and asks for nothing more."""
    expect(page.locator("#content[aria-busy=false] > *").first).to_be_attached()


def inked(page: Page, selector: str) -> bool:
    """Tell whether a canvas has at least a hundred pixels drawn."""
    return page.evaluate(
        """(selector) => {
          const canvas = document.querySelector(selector);
          if (!canvas?.width) return false;
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          let inked = 0;
          for (let i = 3; i < data.length && inked < 100; i += 4) inked += data[i] > 0;
          return inked >= 100;
        }""",
        selector,
    )
