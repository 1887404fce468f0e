# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Who gets in, and what the browser is told."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from support.viewer import Viewer, span, traces

from otelkit.viewer.security import Access, is_loopback

API = "/api/v1/status"


@pytest.fixture
def open_to_all(tmp_path: Path) -> Iterator[Viewer]:
    """A viewer that listens beyond the loopback."""
    with Viewer(tmp_path, host="0.0.0.0", hosts=("viewer.example.org",), grpc=True) as running:
        yield running


def token(viewer: Viewer) -> str:
    return viewer.dashboard.access.token


def bearer(word: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {word}"}


def test_the_api_wants_the_token(viewer: Viewer) -> None:
    """Without one, or with a wrong one, 401; the pages' own files are open, for they are the same for everybody."""
    right = token(viewer)
    wrong = [
        {},
        bearer(""),
        bearer(right[:-1]),
        bearer(f"{right}x"),
        {"Authorization": right},
        bearer("ümlaut".encode().decode("latin-1")),
    ]
    for headers in wrong:
        answer = viewer.get(API, headers)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Bearer realm="otelkit"')
        assert right.encode() not in answer.body
    assert viewer.get(API, bearer(right)).status == 200
    assert viewer.get(f"{API}?token={right}").status == 401
    assert viewer.get("/").status == 200
    assert viewer.get("/static/js/app.js").status == 200
    assert viewer.get("/static/../server.py").status == 404
    assert viewer.get("/static/%2e%2e/server.py").status == 404


def test_the_token_is_exchanged_for_a_cookie(viewer: Viewer) -> None:
    """The address with the token leads to the one without, and to a cookie that no script and no other site can use."""
    answer = viewer.get(f"/?token={token(viewer)}")
    assert (answer.status, answer.headers["location"], answer.headers["cache-control"]) == (303, "./", "no-store")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert cookie.startswith(f"otelkit-{viewer.port}=")
    shown = {"Cookie": cookie.partition(";")[0]}
    assert viewer.get(API, shown).status == 200
    assert viewer.get(API, {"Cookie": f"otelkit-{viewer.port}=wrong"}).status == 401
    assert viewer.get(API, {"Cookie": f"otelkit-1={token(viewer)}"}).status == 401
    wrong = viewer.get("/?token=wrong")
    assert (wrong.status, "set-cookie" in wrong.headers) == (403, False)


def test_every_start_has_its_own_token(tmp_path: Path) -> None:
    """Unless one is given; and neither shows in what is printed of the objects."""
    first, second = Access.create("127.0.0.1"), Access.create("127.0.0.1")
    assert first.token != second.token
    assert len(first.token) >= 32
    assert first.token not in repr(first)
    with Viewer(tmp_path, token="mine") as viewer:
        assert viewer.get(API, bearer("mine")).status == 200
        assert "mine" not in repr(viewer.dashboard.options)


@pytest.mark.parametrize("host", ["evil.example.com", "localhost.evil.example.com", "127.0.0.1.nip.io", "", "[", "a@b"])
def test_other_names_are_refused(viewer: Viewer, host: str) -> None:
    """A name that somebody else answers for may be bound to this address: DNS rebinding. 421, whatever is shown."""
    for path in ("/", API, "/static/js/app.js"):
        assert viewer.get(path, {"Host": host, **bearer(token(viewer))}).status == 421
    assert viewer.post("/v1/traces", traces(span("a")), {"Host": host}).status == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "127.0.0.1", "[::1]", "10.1.2.3"])
def test_own_names_and_addresses_are_known(viewer: Viewer, host: str) -> None:
    """With and without a port."""
    for shown in (host, f"{host}:{viewer.port}"):
        assert viewer.get(API, {"Host": shown, **bearer(token(viewer))}).status == 200


def test_a_proxys_name_is_known_if_it_was_given(open_to_all: Viewer) -> None:
    """dashboard_hosts names it."""
    shown = bearer(token(open_to_all))
    assert open_to_all.get(API, {"Host": "viewer.example.org", **shown}).status == 200
    assert open_to_all.get(API, {"Host": socket.gethostname(), **shown}).status == 200
    assert open_to_all.get(API, {"Host": "other.example.org", **shown}).status == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example.com"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    ],
)
def test_pages_of_other_origins_reach_nothing(viewer: Viewer, headers: dict[str, str]) -> None:
    """Neither to read nor to send, even with the token: 403."""
    assert viewer.get(API, {**headers, **bearer(token(viewer))}).status == 403
    assert viewer.post("/v1/traces", traces(span("a")), headers).status == 403
    assert viewer.store.statistics().spans == 0


def test_the_own_origin_and_links_from_elsewhere_are_welcome(viewer: Viewer) -> None:
    """The page's own requests; and a link in somebody's mail, which opens the page."""
    own = {"Origin": f"http://127.0.0.1:{viewer.port}", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
    assert viewer.get(API, {**own, **bearer(token(viewer))}).status == 200
    assert viewer.get("/", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}).status == 200


@pytest.mark.parametrize("path", ["/", "/static/js/app.js", API, "/nothing", "/v1/traces"])
def test_the_browser_is_told_to_load_nothing_from_elsewhere(viewer: Viewer, path: str) -> None:
    """Policy, no sniffing, no referrer; and what is private is not stored."""
    headers = viewer.get(path).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert {policy[each] for each in ("script-src", "style-src", "connect-src", "img-src", "font-src")} == {"'self'"}
    assert (policy["base-uri"], policy["form-action"]) == ("'none'", "'none'")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers
    assert headers["cache-control"] == ("no-store" if path.startswith(("/api", "/v1")) else "no-cache")


def test_on_the_loopback_anybody_may_send(viewer: Viewer) -> None:
    """As OpenTelemetry's defaults expect: no key is asked, and none is drawn."""
    assert viewer.dashboard.access.ingest_key is None
    assert viewer.dashboard.ingest_headers == ""
    assert viewer.post("/v1/traces", traces(span("a"))).status == 200


def test_beyond_the_loopback_senders_need_their_own_key(open_to_all: Viewer) -> None:
    """The key opens ingest and nothing else; the token does not open ingest."""
    key = open_to_all.dashboard.access.ingest_key
    assert key is not None
    assert open_to_all.dashboard.ingest_headers == f"authorization=Bearer%20{key}"
    request = traces(span("a"))
    for shown in ({}, bearer(token(open_to_all)), bearer(f"{key}x")):
        assert open_to_all.post("/v1/traces", request, shown).status == 401
    assert open_to_all.post("/v1/traces", request, bearer(key)).status == 200
    assert open_to_all.get(API, bearer(key)).status == 401
    assert open_to_all.get(API, bearer(token(open_to_all))).status == 200
    assert open_to_all.store.statistics().spans == 1


def test_grpc_asks_for_the_key_too(open_to_all: Viewer) -> None:
    """As metadata, which is what exporters make of OTEL_EXPORTER_OTLP_HEADERS; without it UNAUTHENTICATED, counted."""
    key = open_to_all.dashboard.access.ingest_key
    with grpc.insecure_channel(f"127.0.0.1:{open_to_all.dashboard.grpc_port}") as channel:
        export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        body = traces(span("a")).SerializeToString()
        for metadata in ((), (("authorization", "Bearer wrong"),), (("authorization", str(key)),)):
            with pytest.raises(grpc.RpcError) as refused:
                export(body, timeout=30, metadata=metadata)
            assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
        assert export(body, timeout=30, metadata=(("authorization", f"Bearer {key}"),)) == b""
    assert open_to_all.counts == {"refused.requests.unauthorized": 3, "received.spans": 1}


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("127.8.8.8", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("host", False),
    ],
)
def test_what_the_loopback_is(host: str, expected: bool) -> None:
    """A name may be anything; an address says what it is."""
    assert is_loopback(host) is expected
