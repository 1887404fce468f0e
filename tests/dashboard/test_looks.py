# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Themes, narrow screens, access, and the budget of what is loaded."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import axe_playwright_python
import pytest
from dashboard.viewers import Viewer
from dashboard.watching import INVENTED, drawn, watched
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.dashboard, pytest.mark.timeout(420)]

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()


def test_theme_follows_the_system_and_the_choice(browser: Browser, invented: Viewer) -> None:
    """Light systems see it light; d goes round dark, light, system, and is remembered."""
    with watched(browser, invented, color_scheme="light") as page:
        drawn(page)
        assert _background(page) == "rgb(247, 248, 250)"
        page.keyboard.press("d")
        assert _background(page) == "rgb(13, 15, 18)"
        page.reload()
        drawn(page)
        assert _background(page) == "rgb(13, 15, 18)"
        page.keyboard.press("d")
        assert _background(page) == "rgb(247, 248, 250)"


def test_phone_has_a_bar_and_a_menu(browser: Browser, demo: Viewer) -> None:
    """At 390 px the pages are a bar at the bottom, the others behind "More"."""
    with watched(browser, demo, viewport={"width": 390, "height": 844}, has_touch=True) as page:
        drawn(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.get_by_text("More", exact=True).click()
        page.get_by_role("link", name="Metrics").last.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Metrics")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("name", INVENTED)
def test_page_is_whole_fits_and_is_accessible(browser: Browser, invented: Viewer, name: str) -> None:
    """On a desktop: drawn without a complaint, no scrolling sideways, nothing that axe finds (WCAG 2.2 AA)."""
    _hold(browser, invented, name, "dark", 1440)


@pytest.mark.parametrize("name", INVENTED)
def test_page_is_whole_fits_and_is_accessible_on_a_phone(browser: Browser, invented: Viewer, name: str) -> None:
    """The same at 390 px."""
    _hold(browser, invented, name, "dark", 390)


@pytest.mark.parametrize("name", ["overview", "service", "trace", "job", "model", "host"])
def test_page_is_whole_fits_and_is_accessible_in_the_light(browser: Browser, invented: Viewer, name: str) -> None:
    """The same in the other palette, in a small window."""
    _hold(browser, invented, name, "light", 820)


def test_each_page_loads_within_its_budget(browser: Browser, invented: Viewer) -> None:
    """At most 20 files, 345 KiB of them, 120 KiB of our own modules, and nothing that the page does not need."""
    for name, route in INVENTED.items():
        if name == "peek":
            continue  # a click brings its modules, not the page
        sizes: dict[str, int] = {}
        with watched(browser, invented) as page:
            page.goto("about:blank")
            page.on("response", lambda r, sizes=sizes: _note(sizes, r))
            page.goto(f"{invented.address}/{route}")
            drawn(page)
            page.wait_for_load_state("load")
        own = sum(size for path, size in sizes.items() if "/js/" in path)
        assert len(sizes) <= 20, (name, sorted(sizes))
        assert sum(sizes.values()) <= 345 << 10, (name, sizes)
        assert own <= 120 << 10, (name, own)
        if name not in ("model", "batch", "job", "host", "metric", "otelkit"):
            assert not any("uPlot" in path for path in sizes), name


def test_script_is_only_ours(browser: Browser, demo: Viewer) -> None:
    """The policy forbids inline script and other places, and a script that is put into the page does not run."""
    with watched(
        browser, demo, expected=("Content Security Policy", "CSP", "Content-Security-Policy", "TrustedScript")
    ) as page:
        answer = page.request.get(demo.address)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        page.evaluate(
            """() => {
              const script = document.createElement("script");
              try { script.text = "window.ran = 1"; document.head.append(script); } catch {}
            }"""
        )
        assert page.evaluate("window.ran") is None


def _hold(browser: Browser, viewer: Viewer, name: str, scheme: str, width: int) -> None:
    with watched(
        browser, viewer, INVENTED[name], color_scheme=scheme, viewport={"width": width, "height": 844}
    ) as page:
        drawn(page)
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        expect(page.locator(".error")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert _axe(page) == []


def _background(page: Page) -> str:
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def _axe(page: Page) -> list[str]:
    page.evaluate(AXE)
    found = page.evaluate(
        "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })"
    )
    assert len(found["passes"]) > 20
    return [f"{each['id']}: {node['html'][:160]}" for each in found["violations"] for node in each["nodes"]]


def _note(sizes: dict[str, int], response: object) -> None:
    path = urlsplit(response.url).path  # type: ignore[attr-defined]
    if not path.startswith("/api/"):
        sizes[path] = len(response.body())  # type: ignore[attr-defined]
