# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What is new, as server-sent events."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from support.viewer import Viewer, metrics, number
from support.viewer_shop import Shop


def events(viewer: Viewer, query: str) -> Iterator[tuple[str, Any]]:
    """Return name and data of each event that comes from now on, until the caller stops."""
    connection = http.client.HTTPConnection("127.0.0.1", viewer.port, timeout=30)
    token = viewer.dashboard.access.token
    connection.request("GET", f"/api/v1/stream?{query}", headers={"Authorization": f"Bearer {token}"})
    response = connection.getresponse()
    assert response.status == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    while response.readline().strip():
        pass  # the first block sets the time to wait before trying again
    return _read(connection, response)


def _read(connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    name = ""
    try:
        while True:
            line = response.readline().decode().rstrip("\n")
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield name, json.loads(line.removeprefix("data: "))
    finally:
        response.close()
        connection.close()


def arrive(viewer: Viewer) -> None:
    """Let something new arrive."""
    assert viewer.post("/v1/metrics", metrics(number("shop.new", 1))).status == 200


def test_a_page_is_followed_step_by_step(viewer: Viewer) -> None:
    """The frame first, then the page, with the last steps only, whenever something has arrived."""
    arrive(viewer)
    following = events(viewer, f"page={quote('metrics/shop.new?from=-5m')}&every=0.5")
    arrive(viewer)
    name, frame = next(following)
    assert name == "frame"
    assert frame["counts"]["metrics"] == 1
    name, page = next(following)
    assert name == "step"
    assert page["range"]["axis"]["count"] == 2
    assert page["name"] == "shop.new"
    assert viewer.post("/v1/metrics", metrics(number("shop.other", 1))).status == 200
    name, frame = next(following)
    assert name == "frame"
    assert frame["counts"]["metrics"] == 2
    assert frame["ribbon"]["axis"]["count"] == len(frame["ribbon"]["counts"]) <= 3
    name, page = next(following)
    assert all(len(line["values"]) == page["range"]["axis"]["count"] for line in page["lines"])
    following.close()


def test_only_pages_can_be_followed(shop: Shop) -> None:
    """What is wrong with the page is told before the stream begins."""
    for page, status in (("nothing", 400), ("services/nobody", 404), ("overview?from=never", 400)):
        answer = shop.get("stream", page=page)
        assert answer.status == status
        assert json.loads(answer.body)["message"]
