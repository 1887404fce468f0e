# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""`otelkit dashboards`: files as they are committed, and an import into a server that answers as Grafana does."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.grafana import TOKEN, FakeGrafana, fake_grafana

from otelkit.cli import main
from otelkit.dashboards.grafana_json import all_rendered

COMMITTED = Path(__file__).parents[2] / "collector-config" / "grafana" / "dashboards"


@pytest.fixture
def grafana(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGrafana]:
    """An empty Grafana, and its token where the command looks for it."""
    monkeypatch.setenv("GRAFANA_TOKEN", TOKEN)
    with fake_grafana() as served:
        yield served


def test_write_makes_what_is_committed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every file, byte for byte; a second time nothing changes."""
    folder = tmp_path / "new" / "dashboards"
    assert main(["dashboards", "write", str(folder)]) == 0
    names = {path.name for path in folder.iterdir()}
    assert names == {path.name for path in COMMITTED.iterdir()}
    for name in names:
        assert (folder / name).read_bytes() == (COMMITTED / name).read_bytes()
    assert capsys.readouterr().out.count(": written") == len(names)
    assert main(["dashboards", "write", str(folder)]) == 0
    assert capsys.readouterr().out.count(": unchanged") == len(names)


def test_write_takes_interval_and_data_source(tmp_path: Path) -> None:
    """They come out in every panel's query and in the choice of the data source."""
    assert main(["dashboards", "write", str(tmp_path), "--interval", "15", "--data-source", "mimir"]) == 0
    text = (tmp_path / "otelkit-services.json").read_text()
    assert '"interval": "15s"' in text
    assert '"interval": "60s"' not in text
    assert '"value": "mimir"' in text


def test_write_says_what_is_wrong_with_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file stands where the folder is to be."""
    (tmp_path / "file").write_text("")
    assert main(["dashboards", "write", str(tmp_path / "file")]) == 2
    error = capsys.readouterr().err
    assert "Expected a folder to write into" in error
    assert str(tmp_path / "file") in error


def test_import_puts_every_dashboard_into_its_folder(grafana: FakeGrafana, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder is made first; what Grafana holds is what `write` writes; the pages' addresses are printed."""
    assert main(["dashboards", "import", "--url", grafana.url]) == 0
    assert grafana.folders == {"uid0": "otelkit"}
    held = {f"{uid}.json": board for uid, board in grafana.dashboards.items()}
    expected = {name: {**json.loads(text), "id": None, "folderUid": "uid0"} for name, text in all_rendered().items()}
    assert held == expected
    assert f"Services: created at {grafana.url}/d/otelkit-services/a-title" in capsys.readouterr().out


def test_import_leaves_what_is_there_unless_told(grafana: FakeGrafana, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody's changes are not lost by mistake; the exit code says that not everything was imported."""
    main(["dashboards", "import", "--url", grafana.url])
    grafana.dashboards["otelkit-gpu"]["title"] = "Changed by somebody"
    before = grafana.wrote
    assert main(["dashboards", "import", "--url", grafana.url]) == 1
    assert grafana.wrote == before
    assert "there already, left as it is; --overwrite replaces it" in capsys.readouterr().out
    assert main(["dashboards", "import", "--url", grafana.url, "--overwrite"]) == 0
    assert grafana.dashboards["otelkit-gpu"]["title"] == "GPU Performance"
    assert capsys.readouterr().out.count(": replaced at ") == len(all_rendered())


def test_a_dry_run_changes_nothing(grafana: FakeGrafana, capsys: pytest.CaptureFixture[str]) -> None:
    """It asks what is there, and says what would be done."""
    main(["dashboards", "import", "--url", grafana.url])
    del grafana.dashboards["otelkit-jobs"]
    before = grafana.wrote
    capsys.readouterr()
    assert main(["dashboards", "import", "--url", grafana.url, "--dry-run", "--overwrite"]) == 0
    text = capsys.readouterr().out
    assert grafana.wrote == before
    assert "Batch and Jobs: would be created\n" in text
    assert "GPU Performance: would be replaced\n" in text
    assert main(["dashboards", "import", "--url", grafana.url, "--dry-run", "--folder", "Team A"]) == 1
    text = capsys.readouterr().out
    assert "folder Team A: would be created" in text
    assert "there already, would be left as it is" in text
    assert grafana.wrote == before


def test_a_folder_of_ones_own(grafana: FakeGrafana) -> None:
    """By its title; one that exists is used, whoever made it."""
    assert main(["dashboards", "import", "--url", grafana.url, "--folder", "Team Ä / Shop"]) == 0
    assert grafana.folders == {"uid0": "Team Ä / Shop"}
    assert main(["dashboards", "import", "--url", grafana.url, "--folder", "Team Ä / Shop", "--overwrite"]) == 0
    assert len(grafana.folders) == 1


def test_grafana_below_a_path(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The printed addresses have the path once, although Grafana's answers have it, too."""
    monkeypatch.delenv("GRAFANA_TOKEN", raising=False)
    with fake_grafana("/grafana") as grafana:
        assert main(["dashboards", "import", "--url", f"{grafana.url}/", "--token", TOKEN]) == 0
        assert f"{grafana.url}/d/otelkit-gpu/a-title" in capsys.readouterr().out
        assert len(grafana.dashboards) == len(all_rendered())


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--token", "wrong"], ["got 401: Invalid API key", "service account's token", "GRAFANA_TOKEN"]),
        (["--url", "localhost:3000"], ["Expected a URL with http:// or https://", "--url"]),
        (["--url", "http://127.0.0.1:{free}"], ["Expected an answer from Grafana", "refused", "Start Grafana"]),
    ],
)
def test_errors_say_what_was_expected_what_came_and_what_to_do(
    grafana: FakeGrafana, capsys: pytest.CaptureFixture[str], arguments: list[str], expected: list[str]
) -> None:
    """A wrong token, no URL, nobody there."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: refuses
        words = [word.replace("{free}", str(unused.getsockname()[1])) for word in arguments]
        assert main(["dashboards", "import", "--url", grafana.url, *words]) == 2
    error = capsys.readouterr().err
    for text in expected:
        assert text in error
    assert "wrong" not in error
    assert TOKEN not in error


@pytest.mark.parametrize(
    ("status", "headers", "body", "expected"),
    [
        (403, {}, b'{"message": "You need additional permissions"}', ["got 403: You need", "role Editor"]),
        (302, {"Location": "https://elsewhere.example/login"}, b"", ["redirection to https://elsewhere", "--url"]),
        (200, {}, b"<html>hello</html>", ["Expected JSON from Grafana's API", "<html>hello", "Is this Grafana?"]),
        (404, {}, b"<html>nginx</html>", ["got 404: <html>nginx", "path included"]),
        (500, {}, b"", ["got 500", "Grafana's log"]),
    ],
)
def test_answers_that_are_none(
    grafana: FakeGrafana, capsys: pytest.CaptureFixture[str], status: int, headers: dict[str, str], body: bytes,
    expected: list[str],
) -> None:  # fmt: skip
    """Too few rights, a redirection (which would take the token along), another program, a proxy's 404, a fault."""
    grafana.answer = (status, headers, body)
    assert main(["dashboards", "import", "--url", grafana.url]) == 2
    error = capsys.readouterr().err
    for text in expected:
        assert text in error


@pytest.mark.parametrize("seconds", ["0", "-1", "x", "1.5", "86401"])
def test_an_interval_is_a_number_of_seconds(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    """argparse says so, with the range."""
    with pytest.raises(SystemExit) as ended:
        main(["dashboards", "write", "--interval", seconds])
    assert ended.value.code == 2
    assert "from 1 to 86400" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["dashboards", "write"], ["dashboards", "import", "--url", "x"], ["rules", "write"]]
)
def test_a_missing_extra_is_named(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the line that installs it."""
    monkeypatch.setitem(sys.modules, "grafana_foundation_sdk", None)
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert main(command) == 2
    error = capsys.readouterr().err
    assert "no grafana-foundation-sdk and no PyYAML" in error
    assert "pip install 'otelkit[grafana]'" in error
