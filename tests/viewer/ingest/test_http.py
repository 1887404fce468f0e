# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""OTLP over HTTP: what is taken, and the status that OTLP prescribes for what is not."""

from __future__ import annotations

import base64
import gzip
import json
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf import json_format
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from support.viewer import EVER, JSON, SECOND_NS, Viewer, histogram, metrics, number, span, traces

from otelkit.viewer.ingest.compression import MAX_BODY_BYTES
from otelkit.viewer.store.limits import Limits

PATHS = ("/v1/traces", "/v1/metrics")


def otlp_json(message: object) -> bytes:
    """Write a request in OTLP's JSON: ids in hexadecimal."""
    plain = json_format.MessageToDict(message)  # type: ignore[arg-type]
    for part in plain.get("resourceSpans", ()):
        for each in part["scopeSpans"][0]["spans"]:
            for key in ("traceId", "spanId", "parentSpanId"):
                if key in each:
                    each[key] = base64.b64decode(each[key]).hex()
    return json.dumps(plain).encode()


@pytest.mark.parametrize("packed", ["", "gzip", "deflate"])
@pytest.mark.parametrize("encoded", ["protobuf", "json"])
def test_every_encoding_means_the_same(viewer: Viewer, encoded: str, packed: str) -> None:
    """Protobuf and JSON, plain, gzip and deflate: the same span and the same point are stored."""
    pack: dict[str, Callable[[bytes], bytes]] = {"": bytes, "gzip": gzip.compress, "deflate": zlib.compress}
    headers = {"Content-Encoding": packed} if packed else {}
    headers |= {"Content-Type": JSON} if encoded == "json" else {}
    sent = span("charge", attributes={"tier": "free", "items": 3, "rate": 0.5, "gift": True}, failed=True)
    for path, request in (
        ("/v1/traces", traces(sent)),
        ("/v1/metrics", metrics(number("shop.orders", 7, {"tier": "free"}))),
    ):
        body = otlp_json(request) if encoded == "json" else request.SerializeToString()
        answer = viewer.post(path, pack[packed](body), headers)
        assert (answer.status, answer.headers["content-type"]) == (
            200,
            headers.get("Content-Type", "application/x-protobuf"),
        )
        assert answer.body == (b"{}" if encoded == "json" else b"")
    (stored,) = viewer.store.trace(sent.trace_id.hex())
    assert stored.attributes == {"tier": "free", "items": 3, "rate": 0.5, "gift": True}
    assert (stored.name, stored.status, stored.service) == ("charge", "error", "shop")
    assert (stored.start_ns, stored.end_ns) == (sent.start_time_unix_nano, sent.end_time_unix_nano)
    assert viewer.values("shop.orders") == {(("tier", "free"),): [7.0]}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"\xff\xff\xff no protobuf", {}),
        (b"\n\x7f\x01", {}),
        (b"{", {"Content-Type": JSON}),
        (b"[1, 2]", {"Content-Type": JSON}),
        (b'{"resourceSpans": 7, "resourceMetrics": 7}', {"Content-Type": JSON}),
        (b"[" * 100_000, {"Content-Type": JSON}),
        (b'{"a":' * 100_000, {"Content-Type": JSON}),
        (b"no gzip", {"Content-Encoding": "gzip"}),
        (gzip.compress(b"cut off" * 100)[:-9], {"Content-Encoding": "gzip"}),
    ],
    ids=["garbage", "cut", "half", "list", "number", "deep list", "deep object", "no gzip", "cut gzip"],
)  # fmt: skip
def test_what_cannot_be_decoded_is_refused(viewer: Viewer, path: str, body: bytes, headers: dict[str, str]) -> None:
    """400 with a google.rpc.Status in the encoding of the request, counted; and the next one is served."""
    answer = viewer.post(path, body, headers)
    assert answer.status == 400
    if headers.get("Content-Type") == JSON:
        assert answer.json["code"] == 3
    else:
        assert Status.FromString(answer.body).code == 3
    assert viewer.counts["refused.requests.malformed"] == 1
    assert viewer.post("/v1/traces", traces(span("next"))).status == 200


def test_a_span_without_a_sound_attribute_is_no_span(viewer: Viewer) -> None:
    """What is kept undecoded was checked: text that is no UTF-8 inside an attribute refuses the request."""
    good = traces(span("a", attributes={"key": "value"})).SerializeToString()
    assert viewer.post("/v1/traces", good.replace(b"value", b"val\xff\xfe")).status == 400
    assert viewer.store.statistics().spans == 0


def test_bombs_do_not_go_off(viewer: Viewer) -> None:
    """64 MiB that are packed into 64 KiB are refused with 413, after 16 MiB of them, also in a second member."""
    bomb = gzip.compress(bytes(64 << 20))
    assert len(bomb) < 70_000
    for body in (bomb, gzip.compress(b"") + bomb):
        for kind in ("application/x-protobuf", JSON):
            assert viewer.post("/v1/traces", body, {"Content-Encoding": "gzip", "Content-Type": kind}).status == 413
    assert viewer.counts == {"refused.requests.too_large": 4}


def test_what_is_too_large_is_not_read(viewer: Viewer) -> None:
    """413 whether the length is announced or comes in chunks."""
    assert viewer.post("/v1/metrics", bytes(MAX_BODY_BYTES + 1)).status == 413
    assert viewer.counts == {"refused.requests.too_large": 1}


@pytest.mark.parametrize(
    ("headers", "count"),
    [
        ({"Content-Type": "text/plain"}, "refused.requests.content_type"),
        ({"Content-Encoding": "br"}, "refused.requests.content_encoding"),
    ],
)
def test_what_nobody_can_read_is_refused(viewer: Viewer, headers: dict[str, str], count: str) -> None:
    """415 for other types and compressions."""
    assert viewer.post("/v1/traces", traces(span("a")), headers).status == 415
    assert viewer.counts == {count: 1}


def test_logs_are_refused_by_name(viewer: Viewer) -> None:
    """404 with a status that says what to set: exporters do not send it again."""
    answer = viewer.post("/v1/logs", b"")
    assert answer.status == 404
    assert "OTEL_LOGS_EXPORTER=none" in Status.FromString(answer.body).message


def test_what_makes_no_sense_is_left_out_and_said(viewer: Viewer) -> None:
    """Partial success: the sound spans and points are stored, the others counted by reason, in the answer too."""
    now = time.time_ns()
    sound, no_time = span("sound"), span("no time", start_ns=0)
    request = traces(
        sound,
        no_time,
        span("no id", span_id=b""),
        span("short", trace_id=b"abc"),
        span("zero", trace_id=bytes(16)),
        span("tomorrow", start_ns=now + 86_400 * SECOND_NS),
        span("last year", start_ns=now - 365 * 86_400 * SECOND_NS),
    )
    answer = viewer.post("/v1/traces", request)
    success = ExportTraceServiceResponse.FromString(answer.body).partial_success
    assert (answer.status, success.rejected_spans) == (200, 6)
    assert "sender's clock" in success.error_message
    answer = viewer.post(
        "/v1/metrics",
        metrics(
            number("a", 1),
            number("a", 1, time_ns=0),
            number("a", 1, time_ns=now + 86_400 * SECOND_NS),
            number("a", 1, time_ns=1),
            number("a", 1, temporality=0),
            histogram("h", [1, 2], [1, 1]),
            histogram("h", [2, 1], [1, 1, 1]),
            histogram("h", [1, 2], [1, 1, 1]),
        ),
    )
    rejected = ExportMetricsServiceResponse.FromString(answer.body).partial_success.rejected_data_points
    assert (answer.status, rejected) == (200, 6)
    assert viewer.counts == {
        "received.spans": 1,
        "received.points": 2,
        "refused.spans.invalid": 3,
        "refused.spans.time": 2,
        "refused.spans.too_old": 1,
        "refused.points.time": 2,
        "refused.points.too_old": 1,
        "refused.points.temporality": 1,
        "refused.points.invalid": 1,
        "refused.points.layout_limit": 1,
    }


def test_a_label_that_explodes_takes_only_its_own_metric_down(tmp_path: Path, report: Callable[[object], None]) -> None:
    """Beyond the limit of a metric new series are refused and counted; known ones, and other metrics, go on."""
    with Viewer(tmp_path, Limits(series=300, series_of_metric=100)) as viewer:
        for begin in range(0, 20_000, 5_000):
            request = metrics(*(number("explodes", 1, {"user_id": str(user)}) for user in range(begin, begin + 5_000)))
            answer = viewer.post("/v1/metrics", request)
            assert answer.status == 200
        assert b"label with too many values" in answer.body
        assert viewer.counts == {"received.points": 100, "refused.points.series_limit": 19_900}
        viewer.post("/v1/metrics", metrics(number("quiet", 1), number("explodes", 2, {"user_id": "7"})))
        assert viewer.values("quiet") == {(): [1.0]}
        assert viewer.values("explodes")[("user_id", "7"),] == [1.0, 2.0]
        report(f"20,002 points, 20,001 label sets: {viewer.counts}")


def test_what_is_huge_is_not_remembered(tmp_path: Path) -> None:
    """Names, labels and resources of kilobytes are refused, and metrics without series leave nothing behind."""
    with Viewer(tmp_path, Limits(series=3, label_bytes=20_000)) as viewer:
        large = {"service.name": "x" * 70_000}
        assert viewer.post("/v1/metrics", metrics(number("a", 1), resource=large)).status == 200
        assert viewer.post("/v1/traces", traces(span("a"), resource=large)).status == 200
        viewer.post("/v1/metrics", metrics(number("n" * 2_000, 1), number("a", 1, {"label": "x" * 20_000})))
        assert viewer.store.metrics() == []
        for label in range(4):
            viewer.post("/v1/metrics", metrics(number(f"m{label}", 1, {"label": str(label) * 9_000})))
        assert len(viewer.store.metrics()) == len(viewer.store.series()) == 3
        assert viewer.counts == {
            "received.points": 3,
            "refused.points.invalid": 2,
            "refused.points.series_limit": 2,
            "refused.spans.invalid": 1,
        }


def test_markup_in_attributes_stays_text(viewer: Viewer) -> None:
    """A script in a name or value comes back as it was sent, as data, by an API that allows no sniffing."""
    script = "<script>alert(1)</script>"
    sent = span(script, attributes={script: script})
    viewer.post("/v1/traces", traces(sent, resource={"service.name": script}))
    (stored,) = viewer.store.trace(sent.trace_id.hex())
    assert (stored.name, stored.attributes, stored.service) == (script, {script: script}, script)
    answer = viewer.get("/v1/traces")
    assert answer.status == 405
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_an_answer_is_a_promise(viewer: Viewer) -> None:
    """What is acknowledged is there for the next question, and told to those who watch within the same moment."""
    seen = []
    unsubscribe = viewer.store.subscribe(seen.append)
    for value in range(1, 21):
        assert viewer.post("/v1/metrics", metrics(number("n", value))).status == 200
        assert viewer.values("n")[()][-1] == value
    unsubscribe()
    assert sum(change.points for change in seen) == 20
    assert all(change.metrics == {"n"} for change in seen)
    assert viewer.store.change.sequence == len(seen)
    assert viewer.store.latest_ns() <= EVER
