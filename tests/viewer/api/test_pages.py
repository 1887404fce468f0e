# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What each page shows of a shop whose payments became slow."""

from __future__ import annotations

from typing import Any

from support.viewer_shop import CALLS, FAILED, SLOW_STEPS, STEPS, Shop


def text(sentence: list[dict[str, Any]]) -> str:
    """Join the parts of a sentence."""
    return "".join(part["text"] for part in sentence)


def test_the_overview_finds_the_slow_action_and_says_where_the_time_goes(shop: Shop) -> None:
    """Since when, how much, that it fails, and in which span."""
    page = shop.wait_for("overview", lambda page: page["findings"])
    (finding,) = [each for each in page["findings"] if each["about"] == "service"]
    assert (finding["subject"], finding["kind"], finding["severity"]) == ("checkout", "failing", "err")
    assert abs(finding["since"] - shop.slow_since) <= 10
    said = text(finding["sentence"])
    assert "p95 of charge is" in said
    assert "fail, all as PaymentTimeout" in said
    assert "of the extra time is in one span: POST payments-gw" in said
    assert page["headline"]["state"] == "findings"
    assert page["headline"]["text"] == "One thing needs a look"
    assert finding["link"]["route"].startswith("#/traces/")
    assert finding["line"]["usual"]["windows"] >= 30


def test_the_overview_puts_what_is_wrong_first(shop: Shop) -> None:
    """Then by requests; the figures are those that were sent."""
    page = shop.wait_for("overview", lambda page: page["findings"])
    checkout, catalog = (each for each in page["services"] if each["source"] == "service")
    assert checkout["calls"] == 2 * STEPS * CALLS
    assert (checkout["name"], checkout["status"]) == ("checkout", "err")
    assert (catalog["name"], catalog["status"], catalog["abnormal"]) == ("catalog", "ok", [])
    assert catalog["calls"] == STEPS * CALLS
    assert abs(catalog["rate"] - CALLS / 5) < 0.01
    assert catalog["error_share"] == 0
    assert 0.02 <= catalog["p50"]["value"] <= 0.05
    assert catalog["active"] == 3


def test_the_overview_has_models_jobs_and_the_machine(shop: Shop) -> None:
    """One row each."""
    page = shop.json("overview")
    (model,) = page["inference"]
    assert model["model"] == "org/MiniLM"
    assert abs(model["items_per_s"] - 128) < 0.1
    assert {each["key"]: each["done"] for each in page["batch"]} == {"joblib:score": STEPS * 4, "@job:cleanup": STEPS}
    machine = page["machine"]
    assert machine["core_count"] == 2
    assert abs(machine["cpu"]["last"] - 0.3) < 1e-6
    assert machine["memory"]["limit"] == 16 * 2**30
    assert machine["gpus"][0]["temperature"]["last"] == 71


def test_everything_on_an_axis_has_its_length(shop: Shop) -> None:
    """Lines, heatmaps and pixels."""
    page = shop.json("services/checkout", columns=40)
    count = page["range"]["axis"]["count"]
    assert 20 <= count <= 42  # the step is a round one
    lengths = {len(row["requests"]["values"]) for row in page["actions"]}
    lengths |= {len(page["chosen"]["heatmap"]["counts"]), len(page["chosen"]["p95"]["values"])}
    assert lengths == {count}


def test_a_service_shows_its_actions_and_the_distribution_of_one(shop: Shop) -> None:
    """Counts in the heatmap add up to the calls."""
    page = shop.wait_for("services/checkout", lambda page: page["findings"], action="charge", from_="-10m")
    rows = {row["action"]: row for row in page["actions"]}
    assert set(rows) == {"charge", "quote"}
    assert page["actions"][0]["action"] == "charge"
    assert rows["charge"]["abnormal"] == ["p50", "p95", "error_share"]
    assert rows["quote"]["abnormal"] == []
    assert abs(rows["charge"]["error_share"] - FAILED * SLOW_STEPS / (STEPS * CALLS)) < 0.001
    chosen = page["chosen"]
    counted = sum(sum(column) for column in chosen["heatmap"]["counts"] if column)
    assert counted == STEPS * CALLS
    assert len(chosen["heatmap"]["edges"]) == len(next(filter(None, chosen["heatmap"]["counts"]))) + 1
    assert chosen["error_types"] == [{"type": "PaymentTimeout", "count": SLOW_STEPS * FAILED}]
    assert chosen["prometheus"] == "service_response_time_seconds"
    assert "fails since" in page["headline"]["text"]


def test_a_cell_tells_its_traces_and_what_they_have_in_common(shop: Shop) -> None:
    """The slow ones went to another gateway."""
    cell = shop.json("cells", service="checkout", action="charge", low=0.5, from_="-10m")
    assert cell["count"] == SLOW_STEPS * 90
    assert cell["of"] == STEPS * CALLS
    assert {(each["key"], each["value"]) for each in cell["excess"]} == {("gateway", "eu-2")}
    assert all(each["duration"] > 0.5 for each in cell["traces"])
    few = shop.json("cells", service="checkout", action="charge", low=100, from_="-10m")
    assert few["excess"] == []
    assert "too few" in few["note"]


def test_traces_are_searched(shop: Shop) -> None:
    """By name, duration, failure, attribute; what matches is grouped."""
    everything = shop.json("traces", from_="-10m", limit=1_000)
    assert everything["total"] == STEPS * 3
    assert len(everything["rows"]) == STEPS * 3
    slow = shop.json("traces", from_="-10m", q="duration>500ms gateway=eu-2", sort="slowest", limit=5)
    assert slow["total"] == SLOW_STEPS * 3
    assert len(slow["rows"]) == 5
    assert slow["cursor"] == "5"
    more = shop.json("traces", from_="-10m", q="duration>500ms gateway=eu-2", sort="slowest", limit=5, cursor="5")
    assert not {each["trace_id"] for each in slow["rows"]} & {each["trace_id"] for each in more["rows"]}
    assert shop.json("traces", from_="-10m", failed="true")["total"] == SLOW_STEPS
    assert shop.json("traces", from_="-10m", q="error.type:*")["total"] == SLOW_STEPS
    assert shop.json("traces", from_="-10m", q="-gateway=eu-2")["total"] == (STEPS - SLOW_STEPS) * 3
    assert shop.json("traces", from_="-10m", q="refund")["total"] == 0
    (group,) = everything["groups"]
    assert (group["name"], group["count"], group["errors"]) == ("checkout.charge", STEPS * 3, SLOW_STEPS)


def test_a_trace_is_told_against_the_usual_one(shop: Shop) -> None:
    """The waterfall, the path that covers it, and what took longer than usually."""
    trace = shop.wait_for(f"traces/{shop.trace_id}", lambda trace: "before" in trace["usual_note"])
    root, payment = trace["spans"]
    assert (root["name"], root["depth"], payment["name"], payment["depth"]) == (
        "checkout.charge",
        0,
        "POST payments-gw",
        1,
    )
    assert abs(sum(piece["share"] for piece in trace["path"]) - 1) < 1e-9
    assert [piece["label"] for piece in trace["path"]] == ["checkout.charge", "POST payments-gw", "checkout.charge"]
    assert payment["attributes"]["note"] == "<script>alert(1)</script>"
    assert payment["events"][0]["name"] == "request sent"
    assert payment["cpu"] is None
    assert trace["cpu"] is None
    usual = trace["usual"]
    assert usual["traces"] >= 20
    assert usual["factor"] > 20
    assert {usual["rows"][0]["name"], usual["rows"][1]["name"]} == {"checkout.charge", "POST payments-gw"}
    assert abs(usual["rows"][0]["difference"] - 0.88) < 0.01


def test_metrics_of_the_moment_are_those_of_the_span(shop: Shop) -> None:
    """Its own first, then those of its process."""
    trace = shop.json(f"traces/{shop.trace_id}")
    moment = shop.json(f"moments/{shop.trace_id}", span=trace["spans"][0]["span_id"])
    reasons = {each["metric"]: each["why"] for each in moment["lines"]}
    assert reasons["service.response_time"] == "its own series"
    assert len(moment["lines"]) <= 5
    assert moment["range"]["start"] < moment["start"] < moment["end"] <= moment["range"]["end"]


def test_a_model_shows_where_its_time_goes_without_warm_up(shop: Shop) -> None:
    """Means that add up; the one step of warm-up is apart."""
    page = shop.json("inference/torch:org%2FMiniLM", from_="-10m")
    assert [each["phase"] for each in page["phases"]][:2] == ["preprocess", "compute"]
    assert abs(sum(each["share"] for each in page["phases"]) - 1) < 1e-9
    assert page["row"]["requests"] == 20 * STEPS
    assert page["warmup"]
    assert page["batch_size"]["histogram"]["total"] == 20 * STEPS
    assert page["gpus"][0]["model"] == "NVIDIA L40S"


def test_a_job_tells_what_is_left_and_when_it_will_be_done(shop: Shop) -> None:
    """Four less every five seconds."""
    page = shop.json("batch/joblib:score", from_="-10m")
    pending = page["pending"]
    assert abs(pending["left"] - 360) < 8
    assert abs(pending["ends"] - (shop.end_ns / 1e9 + 450)) < 30
    assert page["row"]["ran"]["count"] == STEPS * 4
    own = shop.json("batch/@job:cleanup", from_="-10m")
    assert own["row"]["kind"] == "job"
    assert own["row"]["done"] == STEPS


def test_a_host_shows_cores_and_processes(shop: Shop) -> None:
    """The one that the shop runs on."""
    (row,) = shop.json("hosts")["hosts"]
    page = shop.json(f"hosts/{row['machine']['host']}".replace(" ", "%20"))
    assert len(page["machine"]["cores"]["rows"]) == 2
    (process,) = page["processes"]
    assert process["name"] == "shop"
    assert abs(process["cpu"]["last"] - 0.1) < 1e-6


def test_the_catalogue_lists_every_metric_and_finds_some(shop: Shop) -> None:
    """By words of name or description."""
    page = shop.json("metrics")
    assert page["total"] == len(page["metrics"]) > 15
    assert shop.json("metrics", search="response nothing")["total"] == 0
    (row,) = shop.json("metrics", search="response time")["metrics"]
    assert (row["kind"], row["series"], row["prometheus"]) == ("histogram", 3, "service_response_time_seconds")


def test_a_metric_opens_as_what_it_is(shop: Shop) -> None:
    """Counter as rate, gauge as line, histogram as heatmap, each split by a label."""
    counter = shop.json("metrics/service.requests", by="action", from_="-10m")
    assert counter["view"] == "rate"
    assert {line["name"] for line in counter["lines"]} == {"all", "charge", "quote", "search"}
    assert counter["lines"][0]["total"]
    gauge = shop.json("metrics/shop.orders")
    assert gauge["view"] == "value"
    times = shop.json("metrics/service.response_time", from_="-10m")
    assert sum(sum(column) for column in times["heatmap"]["counts"] if column) == 3 * STEPS * CALLS
    assert set(times["quantiles"]) == {"p50", "p95", "p99"}
    quantile = shop.json("metrics/service.response_time", view="quantile", quantile=0.5, by="service")
    assert {line["name"] for line in quantile["lines"]} == {"checkout", "catalog"}
    assert "histogram_quantile(0.5" in quantile["promql"]


def test_the_frame_counts_what_there_is(shop: Shop) -> None:
    """And draws all requests."""
    frame = shop.json("frame")
    assert frame["counts"]["services"] == 3  # events belong to the program where it has several services
    assert frame["counts"]["traces"] == STEPS * 3
    assert frame["counts"]["inference"] == 1
    assert frame["counts"]["batch"] == 2
    assert frame["ribbon"]["unit"] == "requests"
    assert abs(sum(each or 0 for each in frame["ribbon"]["counts"]) - 3 * STEPS * CALLS) < 10
    assert [each["name"] for each in frame["senders"]] == ["shop"]
    assert frame["own"]["dropped"] == 0


def test_status_tells_what_arrived(shop: Shop) -> None:
    """And where it is listened."""
    status = shop.json("status")
    assert not status["empty"]
    assert status["arrived"]["spans"] == STEPS * 6
    assert status["refused"] == []
    assert status["listening"]


def test_the_filter_is_completed_from_what_is_retained(shop: Shop) -> None:
    """Keys, values, places to jump to."""
    assert "action:" in {each["text"] for each in shop.json("complete", q="act")["suggestions"]}
    values = shop.json("complete", q="service:ch")["suggestions"]
    assert [each["text"] for each in values] == ["service:checkout "]
    pages = shop.json("complete", q="checkout")["suggestions"]
    assert "#/services/checkout" in {each["route"] for each in pages}


def test_a_filter_narrows_and_says_what_it_cannot(shop: Shop) -> None:
    """A term that metrics lack is named, not silently dropped."""
    page = shop.json("overview", q="service:catalog user_tier=free")
    assert [each["name"] for each in page["services"]] == ["catalog"]
    (ignored,) = page["range"]["ignored"]
    assert ignored["term"] == "user_tier=free"
    assert "no label" in ignored["reason"]
