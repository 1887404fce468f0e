# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What one does with the pages: click a dot, follow live, filter, share, and all of it by keyboard."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit
from zoneinfo import ZoneInfo

import pytest
from dashboard.invented.shared import NOW
from dashboard.viewers import Viewer, run_empty, wait_for
from dashboard.watching import INVENTED, INVENTED_TRACE, drawn, show, watched
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.dashboard, pytest.mark.timeout(420)]

_RING = """() => {
  const place = document.querySelector(".heatmap");
  if (!place) return null;
  place.scrollIntoView({ block: "center" });
  const box = place.getBoundingClientRect();
  const near = (x, y) => {
    const at = { clientX: box.left + x, clientY: box.top + y, bubbles: true };
    place.dispatchEvent(new PointerEvent("pointermove", at));
    return place.style.cursor === "pointer";
  };
  const around = [[0, 0], [4, 0], [-4, 0], [0, 4], [0, -4]];
  for (let y = 20; y < 300; y += 4) for (let x = 48; x < box.width - 72; x += 4) {
    if (around.every(([dx, dy]) => near(x + dx, y + dy))) return [box.left + x, box.top + y];
  }
  return null;
}"""
"""Where an exemplar of the heatmap lies: where the pointer becomes a hand, and not only at its very edge."""


def _ring(page: Page) -> tuple[float, float]:
    """Return it once the page has come to rest around it."""

    def resting() -> tuple[float, float] | None:
        found = page.evaluate(_RING)
        page.wait_for_timeout(200)
        return found if found == page.evaluate(_RING) else None

    return wait_for(resting, "an exemplar under the pointer", 60)


def test_exemplar_opens_its_trace_beside_it_and_in_full(browser: Browser, demo: Viewer) -> None:
    """A click on a ring lets its trace peek in, Enter opens it in full, Back leads to the service again."""
    with watched(browser, demo) as page:
        page.locator(".services a.name").first.click()
        page.locator("#live").click()  # hold the dots still
        expect(page.locator("#live")).to_have_text("Fixed")
        drawn(page)  # with the answer for that time, in which the dots lie elsewhere
        page.mouse.click(*_ring(page))
        peek = page.get_by_role("complementary", name="Trace")
        expect(peek.get_by_role("link", name="Open trace")).to_be_visible()
        expect(peek.locator(".wf-row").first).to_be_visible()
        chosen = re.search(r"trace=([0-9a-f]{32})", page.url)
        assert chosen
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(f"#/traces/{chosen[1]}"))
        expect(page.locator(".tracecols .wf-row").first).to_be_visible()
        page.go_back()
        expect(page.locator(".heatmap")).to_be_visible()


def test_peek_walks_through_exemplars_and_closes(browser: Browser, invented: Viewer) -> None:
    """j goes to another exemplar, Escape closes the peek and takes it out of the address."""
    with watched(browser, invented) as page:
        show(page, INVENTED["peek"])
        expect(page.get_by_role("link", name="Open trace")).to_be_visible()
        page.keyboard.press("k")
        expect(page).not_to_have_url(re.compile(INVENTED_TRACE))
        page.keyboard.press("Escape")
        expect(page.locator("#peek")).to_be_hidden()
        expect(page).not_to_have_url(re.compile("trace="))


def test_cells_list_the_traces_in_them(browser: Browser, invented: Viewer) -> None:
    """Dragging over cells tells the count, what is over-represented, and the kept traces."""
    with watched(browser, invented) as page:
        show(page, INVENTED["service"])
        box = page.locator(".heatmap").bounding_box()
        assert box
        page.mouse.move(box["x"] + 500, box["y"] + 40)
        page.mouse.down()
        page.mouse.move(box["x"] + 640, box["y"] + 140, steps=4)
        page.mouse.up()
        expect(page.locator("#peek")).to_contain_text("payment.provider = gw-eu-2")
        expect(page.locator("#peek")).to_contain_text("of 114 calls")


def test_live_moves_by_itself(browser: Browser, demo: Viewer) -> None:
    """Without a reload, new traces are counted and the p95's basis grows."""
    with watched(browser, demo) as page:
        drawn(page)
        page.evaluate("window.mark = 1")
        counted = page.locator(".nav a[href^='#/traces'] .n")
        before = counted.inner_text()
        expect(counted).not_to_have_text(before)
        figure = page.locator(".services td [title^='from']").first
        basis = figure.get_attribute("title")
        assert basis
        expect(figure).not_to_have_attribute("title", basis)
        assert page.evaluate("window.mark") == 1


def test_new_traces_come_into_the_list(browser: Browser, tmp_path: Path) -> None:
    """What arrives while somebody looks is there without a reload, newest first."""
    with run_empty(tmp_path) as viewer, watched(browser, viewer, "#/traces") as page:
        for number in range(3):
            trace = _hostile_trace(number)
            trace["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"] = f"call {number}"
            viewer.send("/v1/traces", trace)
            expect(page.locator("tbody a.name").first).to_have_text(f"call {number}")


def test_fixed_time_stands_still(browser: Browser, demo: Viewer) -> None:
    """Fixed puts absolute times into the address, and Live takes them out again."""
    with watched(browser, demo) as page:
        drawn(page)
        page.keyboard.press("l")
        expect(page).to_have_url(re.compile(r"from=\d{4}-\d\d-\d\dT.*&to=\d{4}"))
        expect(page.locator("#live")).to_have_text("Fixed")
        page.keyboard.press("l")
        expect(page.locator("#live")).to_have_text("Live")
        expect(page).not_to_have_url(re.compile("to="))


def test_times_are_in_the_reader_s_zone(browser: Browser, invented: Viewer) -> None:
    """Those in the server's sentences too; UTC where that is chosen."""
    began = datetime.fromtimestamp(NOW - 500, UTC)
    with watched(browser, invented, timezone_id="Asia/Kolkata") as page:
        show(page, INVENTED["service"])
        there = began.astimezone(ZoneInfo("Asia/Kolkata"))
        expect(page.locator(".verdict")).to_contain_text(f"{there:%H:%M}, the rest is as usual")
        page.keyboard.press("t")
        page.get_by_label("Times in UTC").click()
        expect(page.locator(".verdict")).to_contain_text(f"{began:%H:%M}, the rest is as usual")


def test_filter_is_in_the_address_and_holds(browser: Browser, demo: Viewer) -> None:
    """A typed filter lands in the address; the same address shows the same rows in a new tab."""
    with watched(browser, demo) as page:
        show(page, "#/traces")
        page.keyboard.press("/")
        page.keyboard.type("error.type:*")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(r"q=error\.type"))
        expect(page.locator("tbody tr").first.get_by_role("img", name="severe")).to_be_visible()
        other = page.context.new_page()
        other.goto(page.url)
        expect(other.locator("#filter")).to_have_value("error.type:*")
        expect(other.locator("tbody tr").first.get_by_role("img", name="severe")).to_be_visible()


def test_attribute_narrows_the_filter(browser: Browser, invented: Viewer) -> None:
    """An attribute offers "only", which adds it to the filter."""
    with watched(browser, invented) as page:
        show(page, INVENTED["trace"])
        value = page.locator(".panel dd", has_text="gw-eu-2.payments")
        value.hover()
        value.get_by_role("button", name="only").click()
        expect(page.locator("#filter")).to_have_value("server.address=gw-eu-2.payments")


def test_token_is_exchanged_and_gone_from_the_address(browser: Browser, demo: Viewer) -> None:
    """The token of the launch address becomes a cookie that scripts cannot read."""
    with watched(browser, demo) as page:
        drawn(page)
        assert "token" not in page.url
        assert demo.token not in page.evaluate("document.cookie")
        page.reload()
        drawn(page)
        expect(page.locator(".error")).to_have_count(0)


def test_without_the_token_nothing_is_shown(browser: Browser, demo: Viewer) -> None:
    """A browser that has not shown the token is told how to, and sees no data; a wrong one is refused."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(demo.address)
    expect(page.get_by_role("alert")).to_contain_text("Open the address with ?token=")
    expect(page.locator("table")).to_have_count(0)
    answer = page.goto(f"{demo.address}/?token=wrong")
    assert answer
    assert answer.status == 403
    context.close()


def test_keyboard_alone_leads_from_overview_to_an_attribute(browser: Browser, demo: Viewer) -> None:
    """g t, j, Enter, arrows: from the first page to a span's attributes without a pointer."""
    with watched(browser, demo) as page:
        drawn(page)
        page.keyboard.press("g")
        page.keyboard.press("t")
        expect(page.get_by_role("heading", level=1)).to_have_text("Traces")
        expect(page.locator("tbody a.name").first).to_be_visible()
        page.keyboard.press("j")
        expect(page.locator("tbody a.name").first).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator(".wf-row").first).to_be_visible()
        for _ in range(60):
            if page.evaluate("document.activeElement.matches('.wf-row')"):
                break
            page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.matches('.wf-row')")
        page.keyboard.press("ArrowDown")
        expect(page.locator(".wf-row[aria-selected=true]")).to_be_focused()
        expect(page.locator(".panel dl.attributes").last.locator("dd").first).not_to_be_empty()


def test_keyboard_reads_cells_aloud(browser: Browser, invented: Viewer) -> None:
    """Arrow keys move over the heatmap's cells, and a polite region says what is in each."""
    with watched(browser, invented) as page:
        show(page, INVENTED["service"])
        page.locator(".heatmap").focus()
        page.keyboard.press("ArrowLeft")
        expect(page.locator("#say")).to_have_text(re.compile(r"\d\d:\d\d:\d\d, .* of 114 calls"))
        page.keyboard.press("e")
        expect(page).to_have_url(re.compile("trace="))


def test_keys_are_listed_and_can_be_turned_off(browser: Browser, invented: Viewer) -> None:
    """? lists the keys; turned off, a single key does nothing."""
    with watched(browser, invented) as page:
        drawn(page)
        page.keyboard.press("?")
        page.get_by_role("checkbox").uncheck()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.keyboard.press("l")
        expect(page.locator("#live")).to_have_text("Live")


def test_charts_are_tables_on_demand(browser: Browser, invented: Viewer) -> None:
    """v gives each chart's data as a table."""
    with watched(browser, invented) as page:
        show(page, INVENTED["service"])
        page.keyboard.press("v")
        expect(page.locator(".datatable tbody tr")).to_have_count(90)


def test_page_is_compared_with_another_time(browser: Browser, invented: Viewer) -> None:
    """c offers it; the address holds it; the other time is asked for on the same steps, and ends where this begins."""
    with watched(browser, invented) as page:
        drawn(page)
        page.keyboard.press("c")
        with page.expect_request(re.compile(r"api/v1/overview\?.*step=")) as asked:
            page.get_by_role("button", name="The time before").click()
        expect(page).to_have_url(re.compile("vs=previous"))
        query = parse_qs(urlsplit(asked.value.url).query)
        then = [datetime.fromisoformat(query[key][0]).timestamp() for key in ("from", "to")]
        assert then == [NOW - 1800, NOW - 900]
        assert query["step"] == ["10"]
        expect(page.locator("[data-row]", has_text="checkout").last).to_contain_text("0\u2009%")
        expect(page.get_by_role("columnheader", name="Change")).to_be_visible()
        page.locator(".nav a[href^='#/services']").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Services")
        expect(page.get_by_role("columnheader", name="Change")).to_be_visible()
        page.get_by_role("link", name="compare no more").click()
        expect(page).not_to_have_url(re.compile("vs="))
        expect(page.get_by_role("columnheader", name="Change")).to_have_count(0)


def test_charts_hold_the_lines_of_then(browser: Browser, invented: Viewer) -> None:
    """In a heatmap and in a plot the other side stands beside its own, as the tables behind them tell."""
    with watched(browser, invented) as page:
        for route in (INVENTED["service"], INVENTED["host"], INVENTED["otelkit"]):
            show(page, f"{route}?vs=-1d")
            expect(page.locator("main .note").first).to_contain_text("a day before")
        show(page, f"{INVENTED['service']}?vs=previous")
        page.keyboard.press("v")
        expect(page.get_by_role("columnheader", name="p95, then")).to_be_visible()


def test_a_second_range_is_dragged_with_shift(browser: Browser, demo: Viewer) -> None:
    """Shift and a drag on the ribbon leave the range alone and choose what it is compared with."""
    with watched(browser, demo) as page:
        drawn(page)
        box = page.locator("#ribbon canvas").bounding_box()
        assert box
        middle = box["y"] + box["height"] / 2
        page.keyboard.down("Shift")
        page.mouse.move(box["x"] + 20, middle)
        page.mouse.down()
        page.mouse.move(box["x"] + 120, middle, steps=4)
        page.mouse.up()
        page.keyboard.up("Shift")
        expect(page).to_have_url(re.compile(r"vs=\d{4}-.*Z/\d{4}-"))
        expect(page).not_to_have_url(re.compile("from="))
        expect(page.locator("main .note").first).to_contain_text(re.compile("Compared with|Nothing to compare"))


def test_a_label_is_compared_with_another_value(browser: Browser, invented: Viewer) -> None:
    """What is typed takes the place of what the filter says of the same key."""
    with watched(browser, invented) as page:
        show(page, f"{INVENTED['metric']}?q=tier%3Dgold")
        page.keyboard.press("c")
        box = page.get_by_label("Another value of a label")
        box.fill("tier=free")
        with page.expect_request(re.compile(r"q=tier%3Dfree&")):
            box.press("Enter")
        expect(page.locator("main .note").first).to_contain_text("tier=free")


def test_page_is_taken_away_as_it_is(browser: Browser, demo: Viewer) -> None:
    """JSON is the answer that the page drew; CSV has a row for each of its rows."""
    with watched(browser, demo) as page:
        show(page, "#/services")
        for name, kind in (("JSON", "json"), ("services", "csv")):
            with page.expect_download() as taken:
                page.locator("main").get_by_role("link", name=name, exact=True).click()
            assert taken.value.suggested_filename.endswith(f".{kind}")
            text = Path(taken.value.path()).read_text()
            names = [row["name"] for row in json.loads(text)["services"]] if kind == "json" else text.splitlines()[1:]
            assert len(names) == page.locator(".services tbody tr").count()


def test_every_page_can_be_taken_away(browser: Browser, demo: Viewer) -> None:
    """Each of its links answers, with what it says."""
    with watched(browser, demo) as page:
        host, job = demo.ask("hosts")["hosts"][0]["machine"]["host"], demo.ask("batch")["jobs"][0]["key"]
        trace = demo.ask("traces?limit=1")["rows"][0]["trace_id"]
        for route in ("#/traces", f"#/traces/{trace}", f"#/batch/{quote(job)}", f"#/hosts/{quote(host)}",
                      "#/inference", "#/metrics", "#/metrics/service.requests", "#/otelkit", "#/"):  # fmt: skip
            show(page, route)
            links = page.locator("main a[download]").evaluate_all("(all) => all.map((a) => a.href)")
            assert len(links) >= 2, route
            for link in links:
                answer = page.request.get(link)
                assert answer.ok, (link, answer.text())
                assert ("csv" in answer.headers["content-type"]) == ("format=csv" in link)


def test_a_recording_is_dropped_on_the_page(browser: Browser, tmp_path: Path) -> None:
    """It is loaded, and its time shown; what is none is refused with what was expected."""
    with run_empty(tmp_path) as viewer, watched(browser, viewer, expected=("400",)) as page:
        expect(page.get_by_text("Open a recording")).to_be_visible()
        page.locator("input[type=file]").set_input_files({"name": "no.txt", "mimeType": "", "buffer": b"no json"})
        expect(page.locator("#notice")).to_contain_text("no.txt was not loaded. Expected lines of OTLP-JSON")
        line = json.dumps(_hostile_trace())
        page.evaluate(
            """(line) => {
              const files = new DataTransfer();
              files.items.add(new File([line], "traces.jsonl"));
              const given = { dataTransfer: files, bubbles: true, cancelable: true };
              for (const kind of ["dragover", "drop"]) document.body.dispatchEvent(new DragEvent(kind, given));
            }""",
            line,
        )
        expect(page.locator("#notice")).to_contain_text("Loaded 1 line of traces.jsonl")
        expect(page).to_have_url(re.compile(r"from=\d{4}.*&to=\d{4}"))
        show(page, "#/traces")
        expect(page.locator("tbody a.name").first).to_have_text("<img src=x onerror=alert(1)>")


def test_nothing_yet_gives_way_to_the_first_data(browser: Browser, tmp_path: Path) -> None:
    """An empty viewer says what to paste; the first span replaces that without a reload, its markup shown as text."""
    with run_empty(tmp_path) as viewer, watched(browser, viewer) as page:
        expect(page.get_by_role("heading", level=1)).to_have_text("Nothing yet")
        expect(page.locator("pre").first).to_contain_text("import otelkit")
        expect(page.locator("pre", has_text="OTEL_EXPORTER_OTLP_ENDPOINT")).to_contain_text(viewer.address)
        page.evaluate("window.mark = 1")
        viewer.send("/v1/traces", _hostile_trace())
        expect(page.get_by_text("Paste any one of these")).to_have_count(0)
        show(page, "#/traces")
        expect(page.locator("tbody a.name").first).to_have_text("<img src=x onerror=alert(1)>")
        page.locator("tbody a.name").first.click()
        expect(page.locator(".panel")).to_contain_text("<script>window.hacked = 1</script>")
        assert page.evaluate("window.mark") == 1
        assert page.evaluate("window.hacked") is None
        assert page.locator("#content img, #content script").count() == 0


def test_lost_connection_is_said_and_mended(browser: Browser, invented: Viewer) -> None:
    """Without the server the last picture stays under a bar that says so; when it is back, the bar goes."""
    with watched(browser, invented, expected=("Failed to load resource", "ERR_")) as page:
        drawn(page)
        page.route("**/api/v1/**", lambda route: route.abort())
        page.evaluate("location.hash = '#/?from=-1h'")
        expect(page.locator("#notice")).to_contain_text("Not connected since")
        page.unroute("**/api/v1/**")
        expect(page.locator("#notice")).to_be_empty()
        expect(page.locator(".services tbody tr").first).to_be_visible()


def test_what_is_not_there_is_said_in_its_place(browser: Browser, invented: Viewer) -> None:
    """A trace that is not kept leaves the frame alone and says what failed."""
    with watched(browser, invented, expected=("404", "Failed to load resource")) as page:
        problem = {"message": "There is no such trace.", "remedy": "It was kept 30 days."}
        page.route("**/api/v1/traces/gone*", lambda route: route.fulfill(status=404, json=problem))
        page.evaluate("location.hash = '#/traces/gone'")
        expect(page.get_by_role("alert")).to_contain_text("There is no such trace.")
        expect(page.get_by_role("alert")).to_contain_text("It was kept 30 days.")
        expect(page.get_by_role("navigation", name="Pages")).to_be_visible()


def _hostile_trace(number: int = 0) -> dict[str, Any]:
    now = time.time_ns()
    attribute = {"key": "note", "value": {"stringValue": "<script>window.hacked = 1</script>"}}
    span = {
        "traceId": f"5b8efff798038103d269b633813fc6{number:02x}",
        "spanId": "eee19b7ec3c1b174",
        "name": "<img src=x onerror=alert(1)>",
        "kind": 1,
        "startTimeUnixNano": str(now - 2_000_000_000),
        "endTimeUnixNano": str(now - 1_000_000_000),
        "attributes": [attribute],
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "<b>bold</b>"}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "s"}, "spans": [span]}]}]}
