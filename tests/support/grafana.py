# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
As much of Grafana as an import sees: a real HTTP server with its dashboards, folders, statuses and messages.

Grafana itself is not to be had where only language packages are; statuses and bodies are those of its documentation
("Dashboard HTTP API", "Folder HTTP API").
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "glsa_of_a_test"


class FakeGrafana:
    """
    What the server holds.

    Attributes:
        url: Its address.
        dashboards: By uid, each with ``folderUid``.
        folders: Titles by uid.
        wrote: How many requests changed something.
        answer: If set, status, headers and body of every answer.
    """

    def __init__(self, base: str) -> None:
        self.base = base
        self.url = ""
        self.dashboards: dict[str, dict[str, Any]] = {}
        self.folders: dict[str, str] = {}
        self.wrote = 0
        self.answer: tuple[int, dict[str, str], bytes] | None = None

    def get(self, path: str) -> tuple[int, Any]:
        """Answer a GET."""
        if path.partition("?")[0] == "/api/folders":
            return 200, [{"uid": uid, "title": title} for uid, title in self.folders.items()]
        uid = path.removeprefix("/api/dashboards/uid/")
        if uid in self.dashboards:
            return 200, {"dashboard": self.dashboards[uid], "meta": {}}
        return 404, {"message": "Dashboard not found"}

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Answer a POST."""
        if path == "/api/folders":
            if body["title"] in self.folders.values():
                return 409, {"message": "a folder with the same name already exists in the current location"}
            self.wrote += 1
            uid = f"uid{len(self.folders)}"
            self.folders[uid] = body["title"]
            return 200, {"uid": uid, "title": body["title"]}
        dashboard = body["dashboard"]
        if body["folderUid"] not in self.folders:
            return 400, {"message": "folder not found"}
        if dashboard["uid"] in self.dashboards and not body["overwrite"]:
            return 412, {"message": "The dashboard has been changed by someone else", "status": "version-mismatch"}
        self.wrote += 1
        self.dashboards[dashboard["uid"]] = {**dashboard, "folderUid": body["folderUid"]}
        return 200, {"uid": dashboard["uid"], "status": "success", "url": f"{self.base}/d/{dashboard['uid']}/a-title"}


@contextmanager
def fake_grafana(base: str = "") -> Iterator[FakeGrafana]:
    """Serve one below the path ``base`` until the block ends."""
    grafana = FakeGrafana(base)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(lambda path: grafana.get(path))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(lambda path: grafana.post(path, body))

        def _answer(self, ask: Any) -> None:
            headers = {"Content-Type": "application/json"}
            if grafana.answer:
                status, headers, text = grafana.answer
            elif not self.path.startswith(f"{base}/api/"):
                status, headers, text = 404, {"Content-Type": "text/html"}, b"<html>no such page</html>"
            else:
                status, body = (401, {"message": "Invalid API key"})
                if self.headers.get("Authorization") == f"Bearer {TOKEN}":
                    status, body = ask(self.path.removeprefix(base))
                text = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    grafana.url = f"http://127.0.0.1:{server.server_port}{base}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield grafana
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
