# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What gateway.yaml keeps of the traces, what it counts, and which exemplars then lead somewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from stack.ports import Ports
from stack.stack import Stack
from support.stack_queries import Jaeger, Prometheus, wait_for
from support.talking_program import TalkingProgram

pytestmark = pytest.mark.stack

PROGRAM = Path(__file__).with_name("programs") / "mixed.py"
QUICK, SLOW, FAILED = 40, 4, 5
SLOW_S = 1.0
SETTINGS = {
    "COLLECTOR_KEEP_PERCENT": "0",
    "COLLECTOR_KEEP_SLOWER_MS": str(int(SLOW_S * 1000)),
    "COLLECTOR_DECISION_WAIT": "2s",
    "COLLECTOR_SPAN_METRICS_INTERVAL": "1s",
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An agent and two gateways that keep nothing by chance, and a program's traces decided upon."""
    folder = tmp_path_factory.mktemp("sampling")
    with Stack(folder, Ports(free=True), gateways=2, scrape_s=1, settings=SETTINGS) as stack:
        sent = {"OTEL_EXPORTER_OTLP_ENDPOINT": stack.entry.url("otlp_http")}
        with TalkingProgram(PROGRAM, folder, OTEL_SERVICE_NAME="mixed", **sent) as program:
            assert program.say("flush") == "True"
            prometheus = Prometheus(stack.prometheus.url("web"))
            decided = "otelcol_processor_tail_sampling_global_count_traces_sampled"
            wait_for(
                lambda: prometheus.total(decided) == QUICK + SLOW + FAILED, said=lambda: prometheus.samples(decided)
            )
            yield stack


def test_errors_and_slow_traces_are_kept(stack: Stack) -> None:
    """Those and no others are in Jaeger."""
    jaeger = Jaeger(stack.jaeger.url("query"))

    def kept() -> Counter[str]:
        return Counter(span.name for spans in jaeger.traces("mixed").values() for span in spans)

    wait_for(lambda: kept() == {"slow": SLOW, "failed": FAILED}, said=kept)


def test_all_spans_are_counted(stack: Stack) -> None:
    """The span metrics are made before sampling."""
    prometheus = Prometheus(stack.prometheus.url("web"))

    def counted() -> dict[str, float]:
        found = prometheus.query("sum by (span_name) (traces_span_metrics_calls_total)")
        return {each["metric"]["span_name"]: float(each["value"][1]) for each in found}

    wait_for(lambda: counted() == {"quick": QUICK, "slow": SLOW, "failed": FAILED}, said=counted)


def test_exemplars_of_slow_calls_lead_to_traces(stack: Stack) -> None:
    """Above the threshold each does; one of a quick call that went well leads nowhere, and the README says so."""
    prometheus, jaeger = Prometheus(stack.prometheus.url("web")), Jaeger(stack.jaeger.url("query"))

    def traces(kind: str) -> set[str]:
        return {each.trace for each in prometheus.exemplars(f'call_duration_seconds_bucket{{kind="{kind}"}}')}

    for kind in ("slow", "failed", "quick"):
        wait_for(lambda kind=kind: traces(kind), said=lambda kind=kind: kind)
    for trace in traces("slow") | traces("failed"):
        wait_for(lambda trace=trace: jaeger.knows(trace), said=lambda trace=trace: trace)
    assert not any(map(jaeger.knows, traces("quick")))
