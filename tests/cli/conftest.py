# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A clean environment, and small servers that answer rightly and wrongly."""

import importlib.util
import json
import os
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from otelkit.cli import main

HERE = Path(__file__).parent
CERTIFICATE = HERE / "loopback.pem"


def _load_receiver_module() -> Any:
    name = "otelkit_tests_otlp_receiver"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, HERE.parent / "support" / "otlp_receiver.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Leave nothing of the developer's own configuration: no variable, no file, no proxy."""
    for name in list(os.environ):
        if name.upper().startswith(
            ("OTEL", "_OTEL", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_COLOR", "PYTHONPATH")
        ):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def receive() -> Iterator[Callable[..., Any]]:
    """Start OTLP receivers, ``receive("http")`` or ``receive("grpc")``, that end with the test."""
    with ExitStack() as stack:
        yield lambda protocol: stack.enter_context(_load_receiver_module().OtlpReceiver(protocol))


class Reply(NamedTuple):
    """How a small HTTP server answers everything."""

    code: int = 200
    kind: str = "text/plain"
    body: bytes = b""
    location: str = ""


@pytest.fixture
def serve() -> Iterator[Callable[..., int]]:
    """Start HTTP servers that give one reply to all requests; returns the port."""
    with ExitStack() as stack:
        yield lambda tls=False, **reply: _serve(stack, Reply(**reply), tls)


def _serve(stack: ExitStack, reply: Reply, tls: bool) -> int:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(reply.code)
            self.send_header("Content-Type", reply.kind)
            self.send_header("Content-Length", str(len(reply.body)))
            if reply.location:
                self.send_header("Location", reply.location)
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = answer

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that speaks another protocol is the point of some tests."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        # The handshake belongs into the request's thread: a client that never shakes hands must not block accept().
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    stack.callback(server.server_close)
    stack.callback(thread.join)
    stack.callback(server.shutdown)
    return server.server_address[1]


class Diagnosis(NamedTuple):
    """Exit code and JSON of ``otelkit doctor --json``."""

    code: int
    report: dict[str, Any]

    def of(self, check: str) -> dict[str, str]:
        """Return the one finding of ``check``."""
        (finding,) = [finding for finding in self.report["findings"] if finding["check"] == check]
        return finding

    def checks(self) -> set[str]:
        """Return the names of all checks that found something."""
        return {finding["check"] for finding in self.report["findings"]}


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Diagnosis]:
    """Run the doctor with the variables given; destinations that are not named are off."""

    def run(*arguments: str, **variables: str) -> Diagnosis:
        defaults = {"OTEL_SERVICE_NAME": "shop", "OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}
        for name, value in {**defaults, **variables}.items():
            monkeypatch.setenv(name, value)
        code = main(["doctor", "--json", *arguments])
        return Diagnosis(code, json.loads(capsys.readouterr().out))

    return run


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make it look as if a distribution were installed: its metadata is what the doctor reads."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def put(name: str, version: str, entry_points: str = "", requires: tuple[str, ...] = ()) -> None:
        folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        lines += [f"Requires-Dist: {each}" for each in requires]
        (folder / "METADATA").write_text("\n".join([*lines, ""]))
        (folder / "entry_points.txt").write_text(entry_points)

    return put
