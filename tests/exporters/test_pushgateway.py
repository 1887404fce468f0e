# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Pushing to a real HTTP server that reads what arrives with prometheus_client's parser."""

import base64
import os
import signal
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from prometheus_client.parser import text_string_to_metric_families as parse_text

from otelkit._core._guard import guard
from otelkit._core._snapshot import Attributes, Kind, Metric, MetricSnapshot, NumberPoint
from otelkit.exceptions import ConfigurationError
from otelkit.exporters import pushgateway
from otelkit.exporters.pushgateway import grouping_path


@dataclass
class Settings:
    """The settings that the reader looks at."""

    pushgateway_url: str
    service_name: str | None = "shop"
    pushgateway_job: str | None = None
    export_interval_s: float = 3_600.0
    prometheus_scope_labels: bool = True


class Source:
    """A source with one counter that grows with each snapshot."""

    value = 0

    def snapshot(self):
        """Return the counter."""
        self.value += 1
        point = NumberPoint(Attributes(action="get"), 1, 2, self.value)
        return [MetricSnapshot(Metric("shop.requests", Kind.COUNTER), [point])]


class Gateway(ThreadingHTTPServer):
    """Receives pushes; ``answer`` is the status it gives."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = 200
        self.delay_s = 0.0
        self.pushes = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def counters(self):
        """Return the counter's value in each push."""
        return [page["shop_requests_total"] for _, _, page in self.pushes]


class _Handler(BaseHTTPRequestHandler):
    def do_PUT(self):
        server = self.server
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        page = {s.name: s.value for family in parse_text(body) for s in family.samples}
        server.pushes.append((self.path, dict(self.headers), page))
        time.sleep(server.delay_s)
        self.send_response(server.answer)
        self.end_headers()
        self.wfile.write(b"what the gateway says")

    def log_message(self, format, *args):  # noqa: A002 - the base class's name
        pass


@pytest.fixture
def gateway():
    """Run a gateway for one test."""
    guard.reset()
    server = Gateway()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def push_to():
    """Make readers and end them after the test."""
    readers = []

    def make(url, source=None, **settings):
        readers.append(pushgateway.create_reader(Settings(url, **settings), source or Source()))
        return readers[-1]

    yield make
    for reader in readers:
        reader.shutdown(timeout_millis=100)


def exports():
    """Return the counted exports by outcome."""
    return {dict(labels)["otelkit.outcome"]: items for what, labels, items in guard.tallies() if what == "exports"}


def wait_for(condition):
    """Wait until ``condition`` holds; fail after five seconds."""
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_push_replaces_the_group_of_this_process(gateway, push_to):
    """The page arrives whole, by PUT, as text, under job and instance of the SDK's resource."""
    reader = push_to(f"{gateway.url}/")
    provider = MeterProvider([reader], Resource({"service.instance.id": "a b"}), shutdown_on_exit=False)
    provider.get_meter("their.library").create_counter("jobs").add(2)
    assert reader.force_flush() is True
    provider.shutdown()
    path, headers, page = gateway.pushes[0]
    assert path == "/metrics/job/shop/instance/a%20b"
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "Authorization" not in headers
    assert (page["shop_requests_total"], page["jobs_total"]) == (1, 2)


def test_pushes_are_periodic_and_the_last_comes_at_shutdown(gateway, push_to):
    """The interval pushes by itself; shutdown pushes once more, and only once."""
    reader = push_to(gateway.url, export_interval_s=0.02)
    wait_for(lambda: len(gateway.pushes) >= 3)
    reader.shutdown()
    pushed = len(gateway.pushes)
    reader.shutdown()
    time.sleep(0.1)
    assert len(gateway.pushes) == pushed
    assert gateway.counters() == sorted(set(gateway.counters()))
    assert len({path for path, _, _ in gateway.pushes}) == 1
    assert exports()["success"] == pushed


def test_user_and_password_of_the_url_become_basic_authentication(gateway, push_to):
    """They leave the URL, percent-decoded, for the Authorization header."""
    push_to(gateway.url.replace("http://", "http://me:p%40ss@")).push()
    (path, headers, _), *_ = gateway.pushes
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"me:p@ss"
    assert path.startswith("/metrics/job/shop/instance/")


def test_the_job_setting_goes_before_the_services_name(gateway, push_to):
    """A job with a slash is sent in base64, under a base path if the URL has one."""
    push_to(f"{gateway.url}/gateway", pushgateway_job="nightly/clean").push()
    assert gateway.pushes[0][0].startswith("/gateway/metrics/job@base64/bmlnaHRseS9jbGVhbg==/instance/")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"job": "a", "instance": "b"}, "/metrics/job/a/instance/b"),
        ({"job": "a b", "x": "ü?&#"}, "/metrics/job/a%20b/x/%C3%BC%3F%26%23"),
        ({"job": "directory_cleaner", "path": "/var/tmp"}, "/metrics/job/directory_cleaner/path@base64/L3Zhci90bXA="),
        ({"job": "a", "x": ""}, "/metrics/job/a/x@base64/="),
        (
            {"job": "titan", "name": "Προμηθεύς"},
            "/metrics/job/titan/name/%CE%A0%CF%81%CE%BF%CE%BC%CE%B7%CE%B8%CE%B5%CF%8D%CF%82",
        ),
    ],
)
def test_grouping_keys_are_escaped_as_the_gateways_readme_says(labels, expected):
    """The README's examples, and an empty value."""
    assert grouping_path(labels) == expected


def test_a_refusal_is_counted_and_logged_with_its_reason(gateway, push_to, caplog):
    """What the gateway answered is in the log; the URL's password is not."""
    gateway.answer = 400
    assert push_to(gateway.url.replace("http://", "http://me:s3cret@")).push() is False
    assert exports() == {"failure": 1}
    assert "400" in caplog.text
    assert "what the gateway says" in caplog.text
    assert "s3cret" not in caplog.text


def test_an_absent_gateway_never_raises_and_the_next_push_arrives(gateway, push_to):
    """A gateway that comes back gets the numbers: they are cumulative."""
    reader = push_to("http://127.0.0.1:9")
    assert reader.push() is False
    assert exports() == {"failure": 1}
    reader._url = gateway.url
    assert reader.push() is True
    assert gateway.counters() == [2]


def test_shutdown_does_not_wait_for_a_gateway_that_hangs(gateway, push_to):
    """The last push has the caller's time, also when an earlier one is still under way."""
    gateway.delay_s = 2.0
    reader = push_to(gateway.url)
    background = threading.Thread(target=reader.push)
    background.start()
    wait_for(lambda: gateway.pushes)
    start = time.monotonic()
    reader.shutdown(timeout_millis=200)
    assert time.monotonic() - start < 1
    background.join()
    assert exports() == {"failure": 1, "success": 1}


@pytest.mark.parametrize("url", ["", "localhost:9091", "ftp://gateway", "http://", "http://u:s3cret@host:nine"])
def test_an_impossible_url_is_an_error(url):
    """The error says what was expected and shows no password."""
    with pytest.raises(ConfigurationError, match="http or https URL") as caught:
        pushgateway.create_reader(Settings(url), Source())
    assert "pushgateway_url" in caught.value.where
    assert "s3cret" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of Python 3.12 and newer
def test_a_forked_child_pushes_as_an_instance_of_its_own(gateway, push_to):
    """Parent and child do not overwrite one another's group."""
    reader = push_to(gateway.url, export_interval_s=0.1)
    reader.push()
    pid = os.fork()
    if pid == 0:
        signal.alarm(10)
        reader.shutdown()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    reader.shutdown()
    assert len({path for path, _, _ in gateway.pushes}) == 2
