# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The page, read back by prometheus_client's text parser and its strict OpenMetrics parser."""

import logging
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from otelkit._core._guard import guard
from otelkit._core._snapshot import (
    Attributes,
    Exemplar,
    ExponentialPoint,
    HistogramPoint,
    Kind,
    Metric,
    MetricSnapshot,
    NumberPoint,
    SummaryPoint,
)
from otelkit.exporters._exposition import render
from otelkit.exporters._prometheus_families import leave_out
from otelkit.exporters._prometheus_text import Scope, bound_text

START_NS = 1_700_000_000_250_000_000
NOW_NS = START_NS + 60_000_000_000
TRACE_ID = 0x0AF7651916CD43DD8448EB211C80319C
SPAN_ID = 0x00F067AA0BA902B7


@pytest.fixture(autouse=True)
def _fresh_guard():
    """Count from zero in each test, and report again what an earlier test reported."""
    guard.reset()
    leave_out.cache_clear()


def families_of(page: bytes, openmetrics: bool):
    """Parse a page with the parser of its format."""
    text = page.decode()
    return {family.name: family for family in (parse_openmetrics(text) if openmetrics else parse_text(text))}


def samples_of(page: bytes, openmetrics: bool):
    """Parse a page into ``{(name, labels): value}``."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families_of(page, openmetrics).values()
        for sample in family.samples
    }


def number(value, exemplar=None, **labels):
    """Make a number point."""
    return NumberPoint(Attributes(labels), START_NS, NOW_NS, value, exemplar)


def histogram(buckets, bounds=(0.1, 1.0, 10.0), total=2.5, exemplars=(), **labels):
    """Make a histogram point."""
    return HistogramPoint(
        Attributes(labels), START_NS, NOW_NS, sum(buckets), total, 0.05, 9.0, bounds, buckets, exemplars
    )


def exponential(scale=0, zero=0, positive=(0, ()), negative=(0, ()), total=1.0):
    """Make an exponential histogram point; ``positive`` and ``negative`` are offset and counts."""
    count = zero + sum(positive[1]) + sum(negative[1])
    return ExponentialPoint(Attributes(), START_NS, NOW_NS, count, total, 0, 0, scale, zero, *positive, *negative)


def one(kind, *points, name="shop.thing", unit="", description="A thing."):
    """Make the snapshot of one metric."""
    return MetricSnapshot(Metric(name, kind, unit, description), list(points))


def dropped():
    """Return what the guard counted as dropped, by metric and reason."""
    return {(dict(labels)["otelkit.metric"], dict(labels)["otelkit.reason"]): n for _, labels, n in guard.tallies()}


EXEMPLAR = Exemplar.of(0.5, TRACE_ID, SPAN_ID, 1_700_000_030_123_456_789)
SNAPSHOTS = [
    one(Kind.COUNTER, number(3, EXEMPLAR, action="get"), number(1.5, action="put"), name="shop.requests"),
    one(Kind.UP_DOWN_COUNTER, number(-2), name="shop.active"),
    one(Kind.GAUGE, number(0.25), name="shop.load", unit="1"),
    one(Kind.HISTOGRAM, histogram([1, 2, 0, 4], exemplars=(EXEMPLAR,), tier="a"), name="shop.time", unit="s"),
    one(Kind.SUMMARY, SummaryPoint(Attributes(), START_NS, NOW_NS, 7, 3.5, ((0.5, 0.2), (1.0, 2.0)))),
]
SCOPE = Scope("otelkit", "1.2")


def test_text_page_to_the_letter():
    """Text 0.0.4 has neither exemplars nor _created, and counters are named with _total."""
    assert render(SNAPSHOTS, openmetrics=False, target={"service.name": "shop"}).decode() == (
        "# HELP target_info Target metadata\n"
        "# TYPE target_info gauge\n"
        'target_info{service_name="shop"} 1\n'
        "# HELP shop_requests_total A thing.\n"
        "# TYPE shop_requests_total counter\n"
        'shop_requests_total{action="get"} 3\n'
        'shop_requests_total{action="put"} 1.5\n'
        "# HELP shop_active A thing.\n"
        "# TYPE shop_active gauge\n"
        "shop_active -2\n"
        "# HELP shop_load_ratio A thing.\n"
        "# TYPE shop_load_ratio gauge\n"
        "shop_load_ratio 0.25\n"
        "# HELP shop_time_seconds A thing.\n"
        "# TYPE shop_time_seconds histogram\n"
        'shop_time_seconds_bucket{tier="a",le="0.1"} 1\n'
        'shop_time_seconds_bucket{tier="a",le="1.0"} 3\n'
        'shop_time_seconds_bucket{tier="a",le="10.0"} 3\n'
        'shop_time_seconds_bucket{tier="a",le="+Inf"} 7\n'
        'shop_time_seconds_sum{tier="a"} 2.5\n'
        'shop_time_seconds_count{tier="a"} 7\n'
        "# HELP shop_thing A thing.\n"
        "# TYPE shop_thing summary\n"
        'shop_thing{quantile="0.5"} 0.2\n'
        'shop_thing{quantile="1.0"} 2.0\n'
        "shop_thing_sum 3.5\n"
        "shop_thing_count 7\n"
    )


def test_openmetrics_page_to_the_letter():
    """OpenMetrics carries unit, exemplars, _created, scope labels and the end mark."""
    mark = ' # {trace_id="0af7651916cd43dd8448eb211c80319c",span_id="00f067aa0ba902b7"} 0.5 1700000030.123456\n'
    page = render(SNAPSHOTS[:1] + SNAPSHOTS[3:4], openmetrics=True, scope=SCOPE, target={"service.name": "shop"})
    scope = 'otel_scope_name="otelkit",otel_scope_version="1.2"'
    assert page.decode() == (
        "# HELP target Target metadata\n"
        "# TYPE target info\n"
        'target_info{service_name="shop"} 1\n'
        "# HELP shop_requests A thing.\n"
        "# TYPE shop_requests counter\n"
        f'shop_requests_total{{{scope},action="get"}} 3{mark}'
        f'shop_requests_created{{{scope},action="get"}} 1700000000.250\n'
        f'shop_requests_total{{{scope},action="put"}} 1.5\n'
        f'shop_requests_created{{{scope},action="put"}} 1700000000.250\n'
        "# HELP shop_time_seconds A thing.\n"
        "# TYPE shop_time_seconds histogram\n"
        "# UNIT shop_time_seconds seconds\n"
        f'shop_time_seconds_bucket{{{scope},tier="a",le="0.1"}} 1\n'
        f'shop_time_seconds_bucket{{{scope},tier="a",le="1.0"}} 3{mark}'
        f'shop_time_seconds_bucket{{{scope},tier="a",le="10.0"}} 3\n'
        f'shop_time_seconds_bucket{{{scope},tier="a",le="+Inf"}} 7\n'
        f'shop_time_seconds_sum{{{scope},tier="a"}} 2.5\n'
        f'shop_time_seconds_count{{{scope},tier="a"}} 7\n'
        f'shop_time_seconds_created{{{scope},tier="a"}} 1700000000.250\n'
        "# EOF\n"
    )


@pytest.mark.parametrize("openmetrics", [False, True])
def test_both_parsers_read_every_kind(openmetrics):
    """Types and values of all kinds come back from the format's own parser."""
    page = render(SNAPSHOTS, openmetrics=openmetrics, scope=SCOPE, target={"service.name": "shop"})
    families = families_of(page, openmetrics)
    assert {name: family.type for name, family in families.items()} == {
        "target" if openmetrics else "target_info": "info" if openmetrics else "gauge",
        "shop_requests": "counter",
        "shop_active": "gauge",
        "shop_load_ratio": "gauge",
        "shop_time_seconds": "histogram",
        "shop_thing": "summary",
    }


def test_exemplars_come_back_on_counter_and_bucket():
    """The strict parser finds the exemplar on the counter and on the one bucket that holds its value."""
    families = families_of(render(SNAPSHOTS, openmetrics=True), True)
    marked = [
        (s.name, s.labels.get("le"), s.exemplar)
        for name in ("shop_requests", "shop_time_seconds")
        for s in families[name].samples
        if s.exemplar
    ]
    assert [(name, le) for name, le, _ in marked] == [
        ("shop_requests_total", None),
        ("shop_time_seconds_bucket", "1.0"),
    ]
    for _, _, exemplar in marked:
        assert exemplar.labels == {"trace_id": f"{TRACE_ID:032x}", "span_id": f"{SPAN_ID:016x}"}
        assert exemplar.value == 0.5
        assert float(exemplar.timestamp) == pytest.approx(1_700_000_030.123456, abs=1e-6)


def test_a_bucket_shows_its_newest_exemplar():
    """Of two exemplars in one bucket the newer one is shown, whatever their order."""
    older, newer = Exemplar.of(0.5, 1, 1, NOW_NS), Exemplar.of(0.7, 2, 2, NOW_NS + 1)
    for order in ((older, newer), (newer, older)):
        page = render([one(Kind.HISTOGRAM, histogram([0, 2, 0, 0], exemplars=order))], openmetrics=True)
        shown = [s.exemplar.value for f in parse_openmetrics(page.decode()) for s in f.samples if s.exemplar]
        assert shown == [0.7]


@pytest.mark.parametrize("openmetrics", [False, True])
def test_page_equals_prometheus_clients_own(openmetrics):
    """The same data, written by prometheus_client and by the renderer, parses to the same samples."""
    registry = CollectorRegistry()
    Counter("shop_requests", "A thing.", ["action"], registry=registry).labels("get").inc(3)
    Gauge("shop_load", "A thing.", registry=registry).set(1e-7)
    theirs = Histogram("shop_time_seconds", "A thing.", ["tier"], registry=registry, buckets=(0.1, 1.0, 2.5e6))
    for value in (0.05, 0.5, 0.5, 1e7):
        theirs.labels("a").observe(value)
    ours = [
        one(Kind.COUNTER, number(3.0, action="get"), name="shop.requests"),
        one(Kind.GAUGE, number(1e-7), name="shop.load"),
        one(
            Kind.HISTOGRAM,
            histogram([1, 2, 0, 1], (0.1, 1.0, 2.5e6), 10_000_001.05, tier="a"),
            name="shop.time",
            unit="s",
        ),
    ]
    expected = samples_of((generate_openmetrics if openmetrics else generate_latest)(registry), openmetrics)
    got = samples_of(render(ours, openmetrics=openmetrics), openmetrics)
    created = {key: value for key, value in got.items() if key[0].endswith("_created")}
    assert len(created) == (2 if openmetrics else 0)
    assert set(created.values()) <= {1_700_000_000.25}
    assert {k: v for k, v in got.items() if k not in created} == {
        k: v for k, v in expected.items() if not k[0].endswith("_created")
    }


TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(value=TEXT, description=TEXT, openmetrics=st.booleans())
def test_any_label_value_and_help_round_trips(value, description, openmetrics):
    """Whatever is in a label value or a description, UTF-8 and control characters included, comes back."""
    description = f"<{description}>"  # prometheus_client's parsers strip white space around a help text
    snapshot = one(Kind.GAUGE, number(1, text=value), description=description)
    family = families_of(render([snapshot], openmetrics=openmetrics), openmetrics)["shop_thing"]
    (sample,) = family.samples
    assert sample.labels == {"text": value}
    assert family.documentation == description


@given(value=st.floats(), bounds=st.lists(st.floats(-1e9, 1e300), unique=True, max_size=6))
def test_any_number_and_bounds_round_trip(value, bounds):
    """Every float a gauge can hold, and every set of bounds, is read back exactly by both parsers."""
    bounds = tuple(sorted({bound + 0.0 for bound in bounds}))
    snapshots = [
        one(Kind.GAUGE, number(value), name="any.value"),
        one(Kind.HISTOGRAM, histogram([1] * (len(bounds) + 1), bounds), name="any.bounds"),
    ]
    for openmetrics in (False, True):
        families = families_of(render(snapshots, openmetrics=openmetrics), openmetrics)
        (sample,) = families["any_value"].samples
        assert sample.value == value or (math.isnan(value) and math.isnan(sample.value))
        buckets = [s.labels["le"] for s in families["any_bounds"].samples if s.name.endswith("_bucket")]
        assert [float(le) for le in buckets] == [*bounds, math.inf]


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        (0.005, "0.005"),
        (1, "1.0"),
        (2.5, "2.5"),
        (100_000.0, "100000.0"),
        (1e6, "1e+06"),
        (1_234_567.5, "1.2345675e+06"),
        (1e16, "1e+16"),
        (1e-5, "1e-05"),
        (math.inf, "+Inf"),
    ],
)
def test_bounds_are_spelled_as_go_does(bound, expected):
    """The text of ``le`` is part of a series' identity, so it is Go's OpenMetrics spelling."""
    assert bound_text(bound) == expected


def test_lone_surrogate_does_not_break_the_page():
    """A character that UTF-8 cannot express becomes a question mark."""
    page = render([one(Kind.GAUGE, number(1, text="a\ud800b"))], openmetrics=True)
    assert samples_of(page, True) == {("shop_thing", frozenset({("text", "a?b")})): 1}


def test_colliding_label_keys_are_joined():
    """Keys that become the same label keep both values, joined by a semicolon."""
    point = NumberPoint(Attributes({"a_b": "2", "a.b": "1"}), START_NS, NOW_NS, 1)
    assert b'shop_thing{a_b="1;2"} 1\n' in render([one(Kind.GAUGE, point)], openmetrics=False)


def test_labels_the_exposition_needs_are_renamed():
    """An attribute named like a bucket's bound or a scope's label does not shadow it."""
    labels = {"le": "mine", "otel.scope.name": "mine"}
    page = render([one(Kind.HISTOGRAM, histogram([1, 0, 0, 0], **labels))], openmetrics=True, scope=SCOPE)
    (bucket, *_) = families_of(page, True)["shop_thing"].samples
    assert bucket.labels == {
        "le": "0.1",
        "exported_le": "mine",
        "exported_otel_scope_name": "mine",
        "otel_scope_name": "otelkit",
        "otel_scope_version": "1.2",
    }
    assert b'shop_thing{le="mine"}' in render([one(Kind.GAUGE, number(1, le="mine"))], openmetrics=False)


@pytest.mark.parametrize("openmetrics", [False, True])
def test_scopes_that_share_a_metric_stay_contiguous(openmetrics):
    """Points of one metric from two scopes form one family, told apart by their scope labels."""
    others = [(Scope("other", attributes=(("team", "x"),)), [SNAPSHOTS[1], SNAPSHOTS[0]])]
    page = render(SNAPSHOTS[:2], openmetrics=openmetrics, scope=SCOPE, others=others)
    names = [line.split("{")[0] for line in page.decode().splitlines() if not line.startswith("#")]
    created = ["shop_requests_created"] if openmetrics else []
    assert names == (["shop_requests_total", *created] * 4 + ["shop_active"] * 2)
    samples = samples_of(page, openmetrics)
    assert samples[("shop_active", frozenset({("otel_scope_name", "other"), ("otel_scope_team", "x")}))] == -2
    assert dropped() == {}


@pytest.mark.parametrize(
    ("first", "later"),
    [
        (one(Kind.GAUGE, number(1), name="jobs"), one(Kind.COUNTER, number(2), name="jobs")),
        (one(Kind.HISTOGRAM, histogram([1, 0, 0, 0]), name="jobs"), one(Kind.GAUGE, number(2), name="jobs.count")),
        (
            one(Kind.GAUGE, number(1), name="jobs_seconds"),
            one(Kind.HISTOGRAM, histogram([1] * 4), name="jobs", unit="s"),
        ),
        (one(Kind.GAUGE, number(1), name="target", unit="x"), one(Kind.GAUGE, number(1), name="target.info")),
    ],
)
def test_clashing_names_leave_the_later_metric_out(first, later, caplog):
    """The page stays valid, the loss is counted and logged once, however often it is scraped."""
    with caplog.at_level(logging.WARNING, "otelkit"):
        for openmetrics in (False, True, True):
            page = render([first, later], openmetrics=openmetrics, target={"service.name": "shop"})
            names = set(families_of(page, openmetrics)) - {"target", "target_info"}
            assert len(names) == 1
    assert dropped() == {(later.metric.name, "name clash"): 1}
    assert len(caplog.records) == 1


def test_duplicate_series_leave_the_later_one_out():
    """Two label sets that look the same to Prometheus would be refused; the first is kept."""
    snapshot = one(Kind.GAUGE, number(1, a_b="x"), NumberPoint(Attributes({"a.b": "x"}), START_NS, NOW_NS, 2))
    assert samples_of(render([snapshot], openmetrics=True), True) == {("shop_thing", frozenset({("a_b", "x")})): 1}
    assert dropped() == {("shop.thing", "duplicate series"): 1}


@pytest.mark.parametrize(
    "broken",
    [
        one(Kind.GAUGE, number(1), name="字符"),
        one(Kind.GAUGE, number(1, 字符="x"), name="broken"),
        one(Kind.GAUGE, number("not a number"), name="broken"),
        one(Kind.HISTOGRAM, number(1), name="broken"),
        one(Kind.HISTOGRAM, histogram([1, 2]), name="broken"),
    ],
)
@pytest.mark.parametrize("openmetrics", [False, True])
def test_what_cannot_be_encoded_is_left_out(broken, openmetrics):
    """One bad metric costs the page that metric, and nothing else."""
    for _ in range(2):
        page = render([SNAPSHOTS[1], broken, SNAPSHOTS[2]], openmetrics=openmetrics)
        assert set(families_of(page, openmetrics)) == {"shop_active", "shop_load_ratio"}
    assert {reason for _, reason in dropped()} == {"not encodable"}
    assert set(dropped().values()) == {1}


def test_values_that_can_fall_lose_sum_and_count_in_openmetrics_only():
    """OpenMetrics 1.0 forbids a sum that can go down; the text format shows it."""
    snapshots = [
        one(Kind.HISTOGRAM, histogram([1, 2], (-5.0,), total=-3.0)),
        one(
            Kind.SUMMARY,
            SummaryPoint(Attributes(), START_NS, NOW_NS, 2, -1.0, ((0.5, -1.0), (0.9, 1.0))),
            name="shop.summary",
        ),
    ]
    strict = samples_of(render(snapshots, openmetrics=True), True)
    assert {name for name, _ in strict} == {
        "shop_thing_bucket",
        "shop_thing_created",
        "shop_summary",
        "shop_summary_count",
        "shop_summary_created",
    }
    lax = samples_of(render(snapshots, openmetrics=False), False)
    assert lax[("shop_thing_sum", frozenset())] == -3.0
    assert lax[("shop_summary", frozenset({("quantile", "0.5")}))] == -1.0


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        (exponential(positive=(0, (1, 0, 2))), {1.0: 0, 2.0: 1, 4.0: 1, 8.0: 3, math.inf: 3}),
        (exponential(scale=2, positive=(-3, (1, 1, 1, 1, 5))), {0.5: 0, 1.0: 3, 2.0: 9, math.inf: 9}),
        (exponential(scale=-1, positive=(-1, (1, 2))), {0.25: 0, 1.0: 1, 4.0: 3, math.inf: 3}),
        (exponential(zero=4, positive=(1, (1,))), {2.0: 4, 4.0: 5, math.inf: 5}),
        (exponential(zero=4), {0.0: 4, math.inf: 4}),
        (exponential(negative=(0, (3, 1))), {-4.0: 0, -2.0: 1, -1.0: 4, math.inf: 4}),
        (
            exponential(zero=2, negative=(0, (3,)), positive=(0, (1,))),
            {-2.0: 0, -1.0: 3, 1.0: 5, 2.0: 6, math.inf: 6},
        ),
        (exponential(scale=-10, positive=(-1, (1, 2))), {2.0**-1024: 0, 1.0: 1, math.inf: 3}),
    ],
)
def test_exponential_histogram_becomes_a_classic_one(point, expected):
    """Buckets merge onto powers of two, without a gap and without changing a count."""
    snapshot = one(Kind.EXPONENTIAL_HISTOGRAM, point)
    for openmetrics in (False, True):
        samples = families_of(render([snapshot], openmetrics=openmetrics), openmetrics)["shop_thing"].samples
        assert {float(s.labels["le"]): s.value for s in samples if s.name == "shop_thing_bucket"} == expected


@given(st.lists(st.floats(-1e6, 1e6).filter(lambda v: abs(v) > 1e-6 or v == 0), min_size=1), st.integers(-3, 8))
def test_exponential_buckets_count_every_value_below_their_bound(values, scale):
    """For any values and scale, each bucket of the page counts exactly the values up to its bound."""

    def buckets(magnitudes):
        indices = [math.ceil(math.log2(m) * 2.0**scale) - 1 for m in magnitudes]
        if not indices:
            return 0, ()
        low = min(indices)
        return low, tuple(indices.count(i) for i in range(low, max(indices) + 1))

    values = [value for value in values if value == 0 or math.log2(abs(value)) % 1]
    point = exponential(
        scale,
        sum(v == 0 for v in values),
        buckets([v for v in values if v > 0]),
        buckets([-v for v in values if v < 0]),
        sum(values),
    )
    page = render([one(Kind.EXPONENTIAL_HISTOGRAM, point)], openmetrics=True)
    for sample in families_of(page, True)["shop_thing"].samples:
        if sample.name == "shop_thing_bucket":
            bound = float(sample.labels["le"])
            assert sample.value == sum(value <= bound for value in values)
