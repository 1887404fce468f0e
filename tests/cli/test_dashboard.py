# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""`otelkit dashboard`, as a process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

COMMAND = (sys.executable, "-m", "otelkit", "dashboard", "--port", "0")
END_TIMEOUT_S = 20.0


@contextmanager
def running(*arguments: str, **variables: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Run it; gives the process and the lines it printed up to "Data:"."""
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or not lines[-1].startswith("Data:"):
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            lines.append(line.rstrip("\n"))
        yield process, lines
    finally:
        process.kill()
        process.communicate()


def status(address: str, token: str | None) -> Any:
    """Ask the API as a script would."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"{address}/api/v1/status", headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def parts(lines: list[str]) -> tuple[str, str]:
    """Return address and token of what was printed."""
    found = re.fullmatch(r"Open (http://[^/]+)/\?token=([0-9a-f]{48})", lines[0])
    assert found
    return found[1], found[2]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_end(tmp_path: Path, number: int) -> None:
    """The address with the token first; then what it takes and where it keeps it; a clean end with 0."""
    with running("--grpc-port", "0", "--data", str(tmp_path)) as (process, lines):
        address, token = parts(lines)
        assert lines[1].startswith(f"It takes OTLP/HTTP at {address}, and OTLP/gRPC on port ")
        assert lines[2] == f"Data: {tmp_path}"
        assert status(address, token)["empty"] is True
        with pytest.raises(urllib.error.HTTPError) as refused:
            status(address, None)
        refused.value.close()
        assert refused.value.code == 401
        process.send_signal(number)
        output, errors = process.communicate(timeout=END_TIMEOUT_S)
    assert (process.returncode, output, errors) == (0, "", "")


def test_beyond_the_loopback_it_says_so(tmp_path: Path) -> None:
    """With the exact variables that a sender has to set."""
    with running("--host", "0.0.0.0", "--grpc-port", "-1", "--data", str(tmp_path)) as (_, lines):
        text = "\n".join(lines)
    assert "can be reached from other machines" in text
    assert re.search(r"^  OTEL_EXPORTER_OTLP_ENDPOINT=http://[^/]+:\d+$", text, re.MULTILINE)
    assert re.search(r"^  OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20[0-9a-f]{48}$", text, re.MULTILINE)


def test_settings_and_arguments(tmp_path: Path) -> None:
    """The settings of the file and of variables hold; arguments win."""
    with running("--data", str(tmp_path), OTELKIT_DASHBOARD_TOKEN="mine", OTELKIT_DASHBOARD_GRPC_PORT="-1") as (
        _,
        lines,
    ):
        assert lines[0].endswith("/?token=mine")
        assert "gRPC" not in lines[1]


SPAN = {
    "traceId": "5b8efff798038103d269b633813fc60c",
    "spanId": "eee19b7ec3c1b174",
    "name": "from a file",
    "startTimeUnixNano": "1544712660000000000",
    "endTimeUnixNano": "1544712661000000000",
}
RESOURCE = {"attributes": [{"key": "service.name", "value": {"stringValue": "recorded"}}]}
LINE = json.dumps({"resourceSpans": [{"resource": RESOURCE, "scopeSpans": [{"spans": [SPAN]}]}]})


def test_a_file_is_replayed(tmp_path: Path) -> None:
    """However old it is; broken lines are counted; its folder is gone at the end."""
    file = tmp_path / "traces.jsonl"
    file.write_text(f"{LINE}\n\nno json\n{{}}\n{LINE[:-1]}\n")
    with running("--grpc-port", "-1", "--replay", str(file)) as (process, lines):
        assert process.stdout is not None
        assert process.stdout.readline() == f"Loaded 1 lines of {file} (3 lines are no OTLP).\n"
        folder = Path(lines[-1].removeprefix("Data: "))
        assert folder.is_dir()
        answer = status(*parts(lines))
        assert (answer["kept"]["spans"], answer["replayed"]) == (1, "traces.jsonl")
        process.send_signal(signal.SIGTERM)
        assert process.wait(END_TIMEOUT_S) == 0
        assert not folder.exists()


@pytest.mark.parametrize("content", [None, "no json\n"])
def test_a_file_that_holds_nothing_is_an_error(tmp_path: Path, content: str | None) -> None:
    """Missing, or not one line of OTLP: exit code 2, the file named."""
    file = tmp_path / "missing.jsonl"
    if content:
        file.write_text(content)
    done = subprocess.run(
        [*COMMAND, "--grpc-port", "-1", "--replay", str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert str(file) in done.stderr
    assert "Traceback" not in done.stderr
