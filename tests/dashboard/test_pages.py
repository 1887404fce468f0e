# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: RUF001 - the typography of the pages
"""Every page shows something true: the demo's data, and what only invented answers have."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from dashboard.viewers import Viewer, wait_for
from dashboard.watching import INVENTED, drawn, inked, show, watched
from playwright.sync_api import Browser, expect

pytestmark = [pytest.mark.dashboard, pytest.mark.timeout(420)]


def test_overview_shows_services_jobs_and_machine(browser: Browser, demo: Viewer) -> None:
    """The first page has a verdict, a row a service with a rate, the jobs, and this machine's cores."""
    with watched(browser, demo) as page:
        drawn(page)
        expect(page.get_by_role("heading", level=1)).not_to_be_empty()
        row = page.locator(".services tbody tr").first
        expect(row.locator("a.name")).to_have_text(demo.ask("overview")["services"][0]["name"])
        expect(row.locator("td.right").first).to_have_text(re.compile(r"\d"))
        expect(page.get_by_role("link", name="index_files")).to_be_visible()
        expect(page.get_by_text(re.compile(r"CPU, \d+ core"))).to_be_visible()
        wait_for(lambda: inked(page, ".machine canvas"), "the cores", 60)
        wait_for(lambda: inked(page, "#ribbon canvas"), "the ribbon", 60)


def test_service_shows_its_actions_and_their_latency(browser: Browser, demo: Viewer) -> None:
    """A service has a row an action, and the heatmap of the one that was clicked."""
    with watched(browser, demo) as page:
        page.locator(".services a.name").first.click()
        drawn(page)
        expect(page.get_by_role("link", name="place_order", exact=True)).to_be_visible()
        expect(page.locator("tr[aria-selected=true]")).to_have_count(1)
        page.get_by_role("link", name="get_product", exact=True).click()
        expect(page.get_by_role("heading", name="Latency of get_product")).to_be_visible()
        wait_for(lambda: inked(page, ".heatmap canvas"), "the heatmap", 60)


def test_traces_lead_to_a_trace(browser: Browser, demo: Viewer) -> None:
    """The list draws one dot a trace; a row opens its trace with waterfall, critical path and attributes."""
    with watched(browser, demo) as page:
        show(page, "#/traces?q=" + quote("service:otelkit-demo"))
        wait_for(lambda: inked(page, "[aria-roledescription='scatter plot'] canvas"), "the scatter", 60)
        page.locator("tbody a.name").first.click()
        expect(page.locator(".wf-row").first).to_be_visible()
        expect(page.locator(".flat i").first).to_be_visible()
        expect(page.get_by_role("complementary", name="The chosen span")).to_contain_text("Attributes")
        expect(page.locator("#live")).to_have_text("Fixed")


def test_batch_shows_the_demo_s_jobs(browser: Browser, demo: Viewer) -> None:
    """The jobs are rows; a chosen one stays in the table, with its run times below."""
    with watched(browser, demo) as page:
        show(page, "#/batch")
        page.get_by_role("link", name="index_files").click()
        expect(page.locator("tr[aria-selected=true]")).to_contain_text("index_files")
        expect(page.get_by_role("heading", name="Run time")).to_be_visible()


def test_host_shows_where_the_demo_runs(browser: Browser, demo: Viewer) -> None:
    """A machine has its cores, memory and the processes that send from it."""
    with watched(browser, demo) as page:
        show(page, "#/hosts")
        page.locator("h2 a.name").first.click()
        expect(page.get_by_role("heading", name="Memory")).to_be_visible()
        expect(page.get_by_role("heading", name="Processes")).to_be_visible()


def test_metrics_are_found_and_opened_as_what_they_are(browser: Browser, demo: Viewer) -> None:
    """The search leads to a histogram, which opens as a heatmap, and to a counter, which opens as a rate."""
    with watched(browser, demo) as page:
        show(page, "#/metrics")
        page.get_by_label("Search metrics").fill("service response")
        expect(page.locator(".catalogue tbody tr")).to_have_count(1)
        page.get_by_role("link", name="service.response_time").click()
        expect(page.get_by_role("heading", name="Distribution")).to_be_visible()
        show(page, "#/metrics/service.requests")
        expect(page.get_by_role("heading", name="Rate")).to_be_visible()
        expect(page.locator(".uplot canvas")).to_be_visible()
        expect(page.get_by_text("service_requests_total")).to_be_visible()


def test_own_page_says_what_is_kept(browser: Browser, demo: Viewer) -> None:
    """otelkit's own page is reached from the sidebar's foot, and counts what is stored."""
    with watched(browser, demo) as page:
        page.locator("a.own").click()
        expect(page.get_by_role("heading", name="Kept")).to_be_visible()
        expect(page.get_by_text("spans", exact=True)).to_be_visible()


def test_findings_say_what_is_wrong_and_lead_to_the_evidence(browser: Browser, invented: Viewer) -> None:
    """Each finding is a sentence with its numbers, and one link."""
    with watched(browser, invented) as page:
        expect(page.get_by_role("heading", level=1)).to_have_text("Three things need a look")
        expect(page.locator(".finding")).to_have_count(3)
        expect(page.locator(".finding").first).to_contain_text("p95 is 1.84 s, 4.1× the usual, and 4.63 % fail.")
        page.get_by_role("link", name="Slowest trace").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("POST /checkout")


def test_trace_says_what_differs_from_a_usual_one(browser: Browser, invented: Viewer) -> None:
    """The trace's page names the factor, the new span, the masked value and what is not measured."""
    with watched(browser, invented) as page:
        show(page, INVENTED["trace"])
        expect(page.locator(".figures")).to_contain_text("7.5×")
        expect(page.locator("#usual")).to_contain_text("not in the usual trace")
        expect(page.locator(".panel")).to_contain_text("masked")
        expect(page.locator(".panel")).not_to_contain_text("****")
        expect(page.locator(".wf-row", has_text="UPDATE stock")).to_contain_text("–")
