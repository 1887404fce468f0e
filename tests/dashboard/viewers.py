# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Viewers to look at: the demo's, an empty one, and one with invented answers."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from dashboard import invented
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from otelkit.viewer.application import STATIC
from otelkit.viewer.security import Access, Gate

PATIENCE_S = 240.0
"""The demo on a busy machine: its first figures take 10 s, its batches half a minute."""


@dataclass(frozen=True)
class Viewer:
    """A running viewer: its address without the token, and the token."""

    address: str
    token: str

    @property
    def url(self) -> str:
        """Address to open."""
        return f"{self.address}/?token={self.token}"

    def ask(self, path: str) -> Any:
        """Return what the API answers, or None where it has nothing."""
        request = urllib.request.Request(
            f"{self.address}/api/v1/{path}", headers={"Authorization": f"Bearer {self.token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def send(self, path: str, content: Any) -> None:
        """Send OTLP as JSON to /v1/traces or /v1/metrics."""
        request = urllib.request.Request(
            f"{self.address}{path}", json.dumps(content).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            assert response.status == 200


def wait_for(holds: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """Return what ``holds`` returns, once it is true."""
    end = time.monotonic() + patience_s
    while not (found := holds()):
        assert time.monotonic() < end, f"{what} did not come within {patience_s} s"
        time.sleep(0.2)
    return found


@contextmanager
def run_otelkit(*arguments: str, folder: Path) -> Iterator[Viewer]:
    """Run an otelkit command that prints the address of its viewer."""
    log = folder / "log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL", "OTELKIT"))}
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "otelkit", *arguments], stdout=output, stderr=subprocess.STDOUT, env=environment
        )
        try:
            yield wait_for(lambda: _printed(log, process), "the viewer's address", 90)
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _printed(log: Path, process: subprocess.Popen[bytes]) -> Viewer | None:
    assert process.poll() is None, log.read_text()
    for word in log.read_text().split():
        if word.startswith("http") and "?token=" in word:
            address, _, token = word.partition("/?token=")
            return Viewer(address, token)
    return None


@contextmanager
def run_demo(folder: Path) -> Iterator[Viewer]:
    """Run the demo, and wait until every page has something to show."""
    data = folder / "data"
    with run_otelkit("demo", "--fault-after", "600", "--data-folder", str(data), folder=folder) as viewer:
        wait_for(lambda: _ready(viewer), "data for every page")
        yield viewer


def _ready(viewer: Viewer) -> bool:
    overview = viewer.ask("overview")
    if not (overview["services"] and overview["batch"] and overview["machine"]):
        return False
    shown = viewer.ask(f"services/{overview['services'][0]['name']}")
    return bool(shown["chosen"] and any(each["kept"] for each in shown["chosen"]["exemplars"]))


@contextmanager
def run_empty(folder: Path) -> Iterator[Viewer]:
    """Run a dashboard to which nothing was sent yet."""
    arguments = ("dashboard", "--port", "0", "--grpc-port", "-1", "--data", str(folder / "data"))
    with run_otelkit(*arguments, folder=folder) as viewer:
        yield viewer


@contextmanager
def run_invented() -> Iterator[Viewer]:
    """Serve the real pages, behind the real gate, in front of invented answers."""
    access = Access.create("127.0.0.1")
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=_ROUTES), port=0, log_level="critical", lifespan="off"))
    server.config.app = Gate(server.config.app, access, 0)  # type: ignore[arg-type]
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started, "the server with invented answers", 60)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Viewer(f"http://127.0.0.1:{port}", access.token)
    finally:
        server.should_exit = server.force_exit = True
        thread.join(30)


async def _page(_request: Request) -> Response:
    return FileResponse(STATIC / "index.html", media_type="text/html")


async def _answer(request: Request) -> Response:
    found = invented.answer(request.path_params["path"])
    if found is None:
        return JSONResponse({"error": "not_found", "message": "There is no such thing.", "remedy": ""}, 404)
    return Response(msgspec.json.encode(found), media_type="application/json")


async def _stream(_request: Request) -> Response:
    async def nothing() -> AsyncIterator[bytes]:
        while True:
            yield b": still here\n\n"
            await asyncio.sleep(1)

    return StreamingResponse(nothing(), media_type="text/event-stream")


_ROUTES = [
    Route("/", _page),
    Mount("/static", StaticFiles(directory=STATIC)),
    Route("/api/v1/stream", _stream),
    Route("/api/v1/{path:path}", _answer),
]
