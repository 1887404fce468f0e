# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A recording that is dropped on the page: what is loaded, and what is refused how."""

from __future__ import annotations

import gzip
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.viewer import Viewer

from otelkit.viewer import recordings

BEGAN_S = 1_795_000_000


@pytest.fixture
def viewer(tmp_path: Path) -> Iterator[Viewer]:
    """An empty dashboard that keeps things for ever."""
    with Viewer(tmp_path) as running:
        yield running


def line(number: int) -> bytes:
    """Return a line with one span of two seconds."""
    start = (BEGAN_S + number) * 10**9
    span = {"traceId": f"{number:032x}", "spanId": f"{number:016x}", "name": "GET", "startTimeUnixNano": str(start),
            "endTimeUnixNano": str(start + 2 * 10**9)}  # fmt: skip
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()


def send(viewer: Viewer, content: bytes, token: str | None = None, **headers: str) -> tuple[int, Any]:
    """Post a recording; return status and answer."""
    connection = http.client.HTTPConnection("127.0.0.1", viewer.port, timeout=60)
    shown = viewer.dashboard.access.token if token is None else token
    connection.request("POST", "/api/v1/recordings", content, {"Authorization": f"Bearer {shown}"} | headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text) if text.startswith(b"{") else text.decode()


def test_lines_are_stored_with_their_times(viewer: Viewer) -> None:
    """Spans come in at the recording's time; lines that are no OTLP are counted, the last needs no line feed."""
    status, loaded = send(viewer, b"\n".join([line(1), b"", b"no json", b"{}", line(5)]))
    assert (status, loaded["lines"], loaded["notes"]) == (200, 2, ["2 lines are no OTLP"])
    assert (loaded["start"], loaded["end"]) == (BEGAN_S + 1, BEGAN_S + 7)
    assert viewer.store.statistics().spans == 2


def test_a_line_may_come_in_pieces(viewer: Viewer) -> None:
    """Many lines, more than one packet of them."""
    status, loaded = send(viewer, b"\n".join(line(number) for number in range(1, 1_500)))
    assert (status, loaded["lines"], loaded["notes"]) == (200, 1_499, [])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "there is not one"),
        (b"no json\nno json", "there is not one"),
        (b"\x00\xff" * 99, "there is not one"),
        (gzip.compress(line(1)), "compressed"),
    ],
)
def test_what_is_no_recording_is_refused(viewer: Viewer, content: bytes, told: str) -> None:
    """With what was expected; nothing is stored."""
    status, problem = send(viewer, content)
    assert status == 400
    assert told in problem["message"]
    assert viewer.store.statistics().spans == 0


def test_what_is_too_large_is_refused(viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what it says of itself, and by what really comes."""
    monkeypatch.setattr(recordings, "MAX_RECORDING_BYTES", 1 << 20)
    for status, problem in (send(viewer, bytes(2 << 20)), _chunked(viewer, 40, bytes(64 << 10))):
        assert status == 413
        assert "otelkit dashboard --replay" in problem["remedy"]


def test_an_endless_line_is_refused(viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is never held as a whole; what came before it stays."""
    monkeypatch.setattr(recordings, "MAX_BODY_BYTES", 1 << 16)
    status, problem = send(viewer, line(1) + b"\n" + b" " * (1 << 18))
    assert status == 400
    assert "one of more than" in problem["message"]


def test_it_needs_the_token(viewer: Viewer) -> None:
    """As all of the API; a page of another origin cannot send one either."""
    assert send(viewer, line(1), token="wrong")[0] == 401
    assert send(viewer, line(1), Origin="https://example.com")[0] == 403
    assert viewer.store.statistics().spans == 0


def _chunked(viewer: Viewer, parts: int, part: bytes) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", viewer.port, timeout=60)
    connection.putrequest("POST", "/api/v1/recordings")
    connection.putheader("Authorization", f"Bearer {viewer.dashboard.access.token}")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    try:
        for _ in range(parts):
            connection.send(b"%x\r\n%s\r\n" % (len(part), part))
        connection.send(b"0\r\n\r\n")
    except OSError:  # it may refuse, and close, before all was sent
        pass
    answer = connection.getresponse()
    content = json.loads(answer.read())
    connection.close()
    return answer.status, content
