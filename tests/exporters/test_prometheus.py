# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""``/metrics`` over real sockets, with a real registry and a real SDK provider behind it."""

import base64
import gzip
import http.client
import os
import signal
import socket
import ssl
import threading
import time
from contextlib import closing
from dataclasses import dataclass

import pytest
import trustme
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from otelkit._core._guard import guard
from otelkit._core._snapshot import Attributes, Kind, Metric, MetricSnapshot, NumberPoint
from otelkit.exceptions import ConfigurationError
from otelkit.exporters import _metrics_server, prometheus
from otelkit.exporters._prometheus_families import leave_out

OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0"}


@dataclass
class Settings:
    """The settings that the reader looks at."""

    service_name: str | None = "shop"
    prometheus_host: str = "127.0.0.1"
    prometheus_port: int = 0
    prometheus_tls_certificate: str | None = None
    prometheus_tls_key: str | None = None
    prometheus_tls_client_ca: str | None = None
    prometheus_basic_auth: str | None = None
    prometheus_bearer_token: str | None = None
    prometheus_scope_labels: bool = True
    workers_folder: str | None = None


class Source:
    """A source with one counter."""

    def __init__(self, value=3.0):
        self.value = value

    def snapshot(self):
        """Return the counter."""
        point = NumberPoint(Attributes(action="get"), 1, 2, self.value)
        return [MetricSnapshot(Metric("shop.requests", Kind.COUNTER, "{request}", "Requests."), [point])]


@pytest.fixture(autouse=True)
def _strict_guard():
    """Let nothing fail behind the guard's back; report again what an earlier test reported."""
    guard.reset()
    leave_out.cache_clear()
    guard.strict = True
    yield
    guard.strict = False


@pytest.fixture
def serve(monkeypatch):
    """Start readers that end quickly, and stop them after the test."""
    monkeypatch.setattr(_metrics_server, "POLL_S", 0.02)
    readers = []

    def start(source=None, **settings):
        readers.append(prometheus.create_reader(Settings(**settings), source or Source()))
        return readers[-1]

    yield start
    for reader in readers:
        reader.shutdown()


def request(reader, method="GET", path="/metrics", headers=None, context=None):
    """Send one request; return status, headers and body."""
    if context:
        connection = http.client.HTTPSConnection("localhost", reader.port, timeout=5, context=context)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", reader.port, timeout=5)
    with closing(connection):
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return response.status, dict(response.headers), response.read()


def families(body):
    """Parse an OpenMetrics page."""
    return {family.name: family for family in parse_openmetrics(body.decode())}


def values(body):
    """Parse a text page into ``{(name, labels without scope): value}``."""
    return {
        (s.name, tuple(sorted((k, v) for k, v in s.labels.items() if not k.startswith("otel_scope_")))): s.value
        for family in parse_text(body.decode())
        for s in family.samples
    }


def raw(reader, sent):
    """Send bytes as they are; return all that comes back before the end of the connection."""
    with socket.create_connection(("127.0.0.1", reader.port), timeout=5) as connection:
        connection.sendall(sent)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


# -- the request ---------------------------------------------------------------


def test_text_and_openmetrics_are_served(serve):
    """Both formats come with their own content type, and the same counter."""
    reader = serve()
    assert reader.url == f"http://127.0.0.1:{reader.port}/metrics"
    status, headers, body = request(reader)
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert values(body)[("shop_requests_total", (("action", "get"),))] == 3
    status, headers, body = request(reader, headers=OPENMETRICS)
    assert (status, headers["Content-Type"]) == (200, "application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert body.endswith(b"# EOF\n")
    assert {"shop_requests", "target"} <= set(families(body))


def test_each_scrape_reads_anew(serve):
    """A page shows what the source holds at that moment."""
    source = Source(1)
    reader = serve(source)
    assert b"} 1\n" in request(reader)[2]
    source.value = 2
    assert b"} 2\n" in request(reader, path="/metrics?name[]=any")[2]


def test_gzip_when_accepted(serve):
    """The compressed page is the page."""
    reader = serve()
    _, headers, body = request(reader, headers={"Accept-Encoding": "gzip"})
    assert headers["Content-Encoding"] == "gzip"
    plain = request(reader)
    assert "Content-Encoding" not in plain[1]
    assert gzip.decompress(body) == plain[2]


def test_head_has_headers_and_no_body(serve):
    """HEAD answers as GET does, without the page."""
    status, headers, body = request(serve(), "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) > 0


@pytest.mark.parametrize(
    ("method", "path", "status", "header"),
    [
        ("GET", "/", 404, None),
        ("GET", "/metrics/", 404, None),
        ("POST", "/metrics", 405, "GET, HEAD"),
        ("DELETE", "/metrics", 405, "GET, HEAD"),
        ("BREW", "/metrics", 405, "GET, HEAD"),
    ],
)
def test_other_paths_and_methods_are_refused(serve, method, path, status, header):
    """Only GET and HEAD on /metrics are answered; the refusal says what is allowed."""
    got, headers, body = request(serve(), method, path)
    assert got == status
    assert headers.get("Allow") == header
    assert b"/metrics" in body


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/9\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/3.0\r\n\r\n", b"505"),
        (b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET /metrics HTTP/1.1\r\nA: " + b"x" * 9_000 + b"\r\n\r\n", b"431"),
        (b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", b"431"),
        (b"GET /metrics HTTP/1.1\r\n" + (b"A: " + b"x" * 4_000 + b"\r\n") * 20 + b"\r\n", b"431"),
    ],
)
def test_bad_requests_get_their_status(serve, sent, status, capfd):
    """Malformed and oversized requests are refused, without a word on the program's stderr."""
    reader = serve()
    assert status in raw(reader, sent).split(b"\r\n", 1)[0]
    assert request(reader)[0] == 200
    assert capfd.readouterr().err == ""


def test_clients_that_vanish_leave_no_trace(serve, capfd):
    """A connection closed or reset at any point disturbs neither the server nor stderr."""
    reader = serve()
    for sent in (b"", b"GET /metr", b"GET /metrics HTTP/1.1\r\n\r\n"):
        connection = socket.create_connection(("127.0.0.1", reader.port))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        connection.sendall(sent)
        connection.close()
    assert request(reader)[0] == 200
    assert capfd.readouterr().err == ""


def test_a_client_that_drips_is_cut_off(serve, monkeypatch):
    """One byte now and then does not hold a connection beyond its time."""
    monkeypatch.setattr(_metrics_server, "CONNECTION_TIMEOUT_S", 0.3)
    reader = serve()
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", reader.port), timeout=5) as connection:
        connection.settimeout(0.05)
        while time.monotonic() - start < 5:
            try:
                connection.sendall(b"G")
                if connection.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
    assert time.monotonic() - start < 2


def test_too_many_connections_are_turned_away_and_service_resumes(serve, monkeypatch):
    """Idle connections beyond the limit cannot exhaust the program's threads."""
    monkeypatch.setattr(_metrics_server, "MAX_CONNECTIONS", 4)
    reader = serve()
    before = threading.active_count()
    idle = [socket.create_connection(("127.0.0.1", reader.port)) for _ in range(12)]
    time.sleep(0.3)
    assert threading.active_count() - before <= 4
    for connection in idle:
        connection.close()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            assert request(reader)[0] == 200
            break
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)
    else:
        pytest.fail("the server did not come back")


def test_scrapes_at_once_all_get_a_whole_page(serve):
    """Eight scrapers at a time each get the complete page."""
    reader = serve()
    pages = []
    threads = [threading.Thread(target=lambda: pages.append(request(reader, headers=OPENMETRICS))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [status for status, _, _ in pages] == [200] * 8
    assert all("shop_requests" in families(body) for _, _, body in pages)


# -- authentication and TLS ----------------------------------------------------


def basic(user_and_password):
    """Return the header for user and password."""
    return {"Authorization": "Basic " + base64.b64encode(user_and_password.encode()).decode()}


@pytest.mark.parametrize(
    ("settings", "headers", "status"),
    [
        ({"prometheus_basic_auth": "me:pä:ss"}, basic("me:pä:ss"), 200),
        ({"prometheus_basic_auth": "me:pass"}, basic("me:wrong"), 401),
        ({"prometheus_basic_auth": "me:pass"}, {}, 401),
        ({"prometheus_basic_auth": "me:pass"}, {"Authorization": "Basic !!!"}, 401),
        ({"prometheus_basic_auth": "me:pass"}, {"Authorization": "Bearer me:pass"}, 401),
        ({"prometheus_bearer_token": "s3cret"}, {"Authorization": "bearer s3cret"}, 200),
        ({"prometheus_bearer_token": "s3cret"}, {"Authorization": "Bearer s3cre"}, 401),
        ({"prometheus_bearer_token": "s3cret"}, {"Authorization": "Digest s3cret"}, 401),
    ],
)
def test_authentication(serve, settings, headers, status):
    """Only the right credentials in the right scheme see the page; the others learn which scheme is wanted."""
    reader = serve(**settings)
    got, answer, body = request(reader, headers=headers)
    assert got == status
    assert (b"shop_requests" in body) == (status == 200)
    if status == 401:
        assert answer["WWW-Authenticate"].startswith("Basic" if "prometheus_basic_auth" in settings else "Bearer")
        assert request(reader, path="/nothing-here")[0] == 401


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Make an authority, a server's certificate for localhost and a client's."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name, host in (("server", "localhost"), ("client", "client")):
        certificate = authority.issue_cert(host)
        certificate.private_key_pem.write_to_path(folder / f"{name}.key")
        for part in certificate.cert_chain_pems:
            part.write_to_path(folder / f"{name}.pem", append=True)
    return folder


def tls_settings(folder, **more):
    """Return the settings for the server's certificate."""
    return {
        "prometheus_tls_certificate": f"{folder}/server.pem",
        "prometheus_tls_key": f"{folder}/server.key",
        **more,
    }


def test_tls(serve, certificates, capfd):
    """A client that trusts the authority gets the page; one that speaks no TLS gets nothing, quietly."""
    reader = serve(**tls_settings(certificates))
    context = ssl.create_default_context(cafile=f"{certificates}/ca.pem")
    assert reader.url.startswith("https://")
    assert request(reader, context=context)[0] == 200
    with pytest.raises((OSError, http.client.HTTPException)):
        request(reader)
    with pytest.raises(ssl.SSLCertVerificationError):
        request(reader, context=ssl.create_default_context())
    assert request(reader, headers=OPENMETRICS, context=context)[0] == 200
    assert capfd.readouterr().err == ""


def test_mutual_tls(serve, certificates):
    """With a client authority set, only a client with its certificate gets the page."""
    reader = serve(**tls_settings(certificates, prometheus_tls_client_ca=f"{certificates}/ca.pem"))
    context = ssl.create_default_context(cafile=f"{certificates}/ca.pem")
    with pytest.raises((OSError, http.client.HTTPException)):
        request(reader, context=context)
    context.load_cert_chain(f"{certificates}/client.pem", f"{certificates}/client.key")
    assert request(reader, context=context)[0] == 200


# -- set-up and end ------------------------------------------------------------


def test_a_port_that_is_taken_is_an_error_with_a_remedy(serve):
    """The error names the address, the settings and the way out."""
    taken = serve().port
    with pytest.raises(ConfigurationError, match=f"127.0.0.1:{taken}") as caught:
        prometheus.create_reader(Settings(prometheus_port=taken), Source())
    assert "prometheus_port" in caught.value.where
    assert "prometheus_port" in caught.value.remedy


@pytest.mark.parametrize("settings", [{"prometheus_host": "256.0.0.1"}, {"prometheus_port": 70_000}])
def test_an_impossible_address_is_an_error(settings):
    """A host that does not resolve and a port that does not exist are set-up errors."""
    with pytest.raises(ConfigurationError, match="free to listen on"):
        prometheus.create_reader(Settings(**settings), Source())


def test_tls_files_that_cannot_be_used_are_an_error(certificates, tmp_path):
    """The error names the setting whose file is at fault."""
    with pytest.raises(ConfigurationError, match="prometheus_tls_certificate"):
        prometheus.create_reader(Settings(prometheus_tls_certificate=f"{tmp_path}/none.pem"), Source())
    broken = tls_settings(certificates, prometheus_tls_client_ca=f"{certificates}/ca.key")
    with pytest.raises(ConfigurationError, match="prometheus_tls_client_ca"):
        prometheus.create_reader(Settings(**broken), Source())


def test_shutdown_frees_the_port_and_may_be_repeated(serve):
    """After shutdown nobody answers and the port can be had again."""
    reader = serve()
    reader.shutdown()
    reader.shutdown()
    with pytest.raises(OSError, match="refused"):
        request(reader)
    assert request(serve(prometheus_port=reader.port))[0] == 200


def test_ipv6_loopback(serve):
    """An IPv6 address is bound and shown as one."""
    reader = serve(prometheus_host="::1")
    assert reader.url == f"http://[::1]:{reader.port}/metrics"
    with closing(http.client.HTTPConnection("::1", reader.port, timeout=5)) as connection:
        connection.request("GET", "/metrics")
        assert connection.getresponse().status == 200


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of Python 3.12 and newer
def test_a_forked_child_neither_hangs_nor_holds_the_port(serve):
    """The child can shut down at once, and the parent's port is free when the parent lets go of it."""
    reader = serve()
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(10)
        reader.shutdown()
        os.write(tell, b"over")
        page = reader.page(openmetrics=False)
        ready = b"shop_requests_total" in page
        time.sleep(1)
        os._exit(0 if ready else 1)
    assert request(reader)[0] == 200
    os.read(told, 4)
    reader.shutdown()
    with pytest.raises(OSError, match="refused"):
        request(reader)
    os.close(told)
    os.close(tell)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


# -- what the SDK holds --------------------------------------------------------


@pytest.fixture
def provider_of():
    """Build MeterProviders around a reader and shut them down after the test."""
    providers = []

    def build(reader, **options):
        resource = Resource({"service.name": "shop", "service.instance.id": "one"})
        providers.append(MeterProvider([reader], resource, shutdown_on_exit=False, **options))
        return providers[-1]

    yield build
    for provider in providers:
        provider.shutdown()


def test_the_sdks_instruments_are_on_the_page(serve, provider_of):
    """Every kind of SDK instrument is there beside otelkit's own, under its scope, with the Collector's name."""
    reader = serve()
    meter = provider_of(reader).get_meter("their.library", "1.2", "https://schema", {"team": "x"})
    meter.create_counter("jobs", "{job}", "Jobs.").add(2, {"ok": True, "n": 1, "list": ["a", "b"]})
    meter.create_up_down_counter("queue", "{item}").add(-1)
    meter.create_gauge("load", "1").set(0.5)
    meter.create_histogram("took", "s", explicit_bucket_boundaries_advisory=[1, 2]).record(1.5)
    meter.create_observable_counter("seen", [lambda _: [Observation(7)]])
    status, _, body = request(reader, headers=OPENMETRICS)
    assert status == 200
    found = families(body)
    assert {name: found[name].type for name in ("jobs", "queue", "load_ratio", "took_seconds", "seen")} == {
        "jobs": "counter",
        "queue": "gauge",
        "load_ratio": "gauge",
        "took_seconds": "histogram",
        "seen": "counter",
    }
    assert found["jobs"].samples[0].labels == {
        "ok": "true",
        "n": "1",
        "list": '["a","b"]',
        "otel_scope_name": "their.library",
        "otel_scope_version": "1.2",
        "otel_scope_schema_url": "https://schema",
        "otel_scope_team": "x",
    }
    took = {s.labels.get("le"): s.value for s in found["took_seconds"].samples if s.name == "took_seconds_bucket"}
    assert took == {"1.0": 0, "2.0": 1, "+Inf": 1}
    assert any(s.name == "took_seconds_created" for s in found["took_seconds"].samples)
    assert found["shop_requests"].samples[0].labels["otel_scope_name"] == "otelkit"
    target = found["target"].samples[0].labels
    assert (target["service_name"], target["service_instance_id"]) == ("shop", "one")


def test_scope_labels_can_be_switched_off(serve, provider_of):
    """Without scope labels no sample carries one."""
    reader = serve(prometheus_scope_labels=False)
    provider_of(reader).get_meter("their.library").create_counter("jobs").add(1)
    body = request(reader)[2]
    assert b"jobs_total 1" in body
    assert b"otel_scope_" not in body


def test_the_sdks_exemplars_are_on_the_page(serve, provider_of):
    """What the SDK sampled reaches the OpenMetrics page, on counter and bucket, for a second scraper too."""
    reader = serve()
    meter = provider_of(reader).get_meter("their.library")
    counter, histogram = meter.create_counter("jobs"), meter.create_histogram("took", "s")
    tracer_provider = TracerProvider(shutdown_on_exit=False)
    with tracer_provider.get_tracer("test").start_as_current_span("work") as span:
        counter.add(1)
        histogram.record(0.3)
    ids = {"trace_id": f"{span.get_span_context().trace_id:032x}", "span_id": f"{span.get_span_context().span_id:016x}"}
    for _ in range(2):
        found = families(request(reader, headers=OPENMETRICS)[2])
        marks = [s.exemplar for name in ("jobs", "took_seconds") for s in found[name].samples if s.exemplar]
        assert [mark.value for mark in marks] == [1, 0.3]
        assert all(mark.labels == ids for mark in marks)


def test_an_exponential_histogram_does_not_break_the_page(serve, provider_of):
    """What makes the stock exporter raise comes out as a classic histogram that counts every value."""
    reader = serve()
    view = View(instrument_name="took", aggregation=ExponentialBucketHistogramAggregation())
    histogram = provider_of(reader, views=[view]).get_meter("their.library").create_histogram("took", "s")
    recorded = [0.0, 0.3, 0.3, 1.5, 700.0]
    for value in recorded:
        histogram.record(value)
    found = families(request(reader, headers=OPENMETRICS)[2])["took_seconds"]
    assert found.type == "histogram"
    buckets = [(float(s.labels["le"]), s.value) for s in found.samples if s.name == "took_seconds_bucket"]
    assert buckets[0][0] == 0.25
    assert buckets[-2][0] == 1024.0
    assert all(count == sum(value <= bound for value in recorded) for bound, count in buckets)
    assert ("took_seconds_sum", sum(recorded)) in [(s.name, s.value) for s in found.samples]


def test_an_instrument_that_cannot_be_encoded_is_left_out(serve, provider_of):
    """One bad name costs the page that instrument only, however often it is scraped."""
    reader = serve()
    meter = provider_of(reader).get_meter("their.library")
    meter.create_counter("good").add(1)
    meter.create_histogram("bad", "s", explicit_bucket_boundaries_advisory=[1, 2]).record(1)
    meter.create_gauge("bad_seconds").set(1)
    for _ in range(3):
        found = families(request(reader, headers=OPENMETRICS)[2])
    assert {"good", "bad_seconds", "shop_requests"} <= set(found)
    assert found["bad_seconds"].type == "histogram"
    assert [items for what, _, items in guard.tallies() if what == "dropped"] == [1]


def test_a_provider_that_collected_nothing_still_serves_the_cells(serve, provider_of):
    """The SDK calls no reader when it has no data; otelkit's own metrics are there all the same."""
    reader = serve()
    provider_of(reader)
    assert ("shop_requests_total", (("action", "get"),)) in values(request(reader)[2])


def test_a_callback_that_raises_costs_only_its_instrument(serve, provider_of):
    """A broken observable does not fail the scrape."""
    reader = serve()
    meter = provider_of(reader).get_meter("their.library")
    meter.create_observable_gauge("broken", [lambda _: 1 / 0])
    meter.create_counter("good").add(1)
    assert {"good", "shop_requests"} <= set(families(request(reader, headers=OPENMETRICS)[2]))


def test_a_source_that_fails_costs_only_its_metrics(serve, provider_of):
    """If otelkit's own store failed, the SDK's instruments would still be served, and the failure counted."""

    class Broken:
        def snapshot(self):
            raise RuntimeError("broken")

    guard.strict = False
    reader = serve(Broken())
    provider_of(reader).get_meter("their.library").create_counter("good").add(1)
    assert "good" in families(request(reader, headers=OPENMETRICS)[2])
    assert ("failures", 1) in [(what, items) for what, _, items in guard.tallies()]
