# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""`otelkit rules write`: the committed files, and thresholds from options, variables and the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from otelkit.cli import main

COMMITTED = Path(__file__).parents[2] / "collector-config" / "rules"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration file of this checkout is found."""
    monkeypatch.chdir(tmp_path)


def written(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the alerts of the files in `folder`, by name."""
    (group,) = yaml.safe_load((folder / "otelkit-alerts.yaml").read_text())["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def test_write_makes_what_is_committed(capsys: pytest.CaptureFixture[str]) -> None:
    """Byte for byte, into `rules`; a second time nothing changes."""
    assert main(["rules", "write"]) == 0
    files = {path.name: path.read_bytes() for path in Path("rules").iterdir()}
    assert files == {path.name: path.read_bytes() for path in COMMITTED.iterdir()}
    capsys.readouterr()
    assert main(["rules", "write", "rules"]) == 0
    assert capsys.readouterr().out.count(": unchanged") == len(files)


def test_thresholds_come_from_file_variable_and_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """The nearest wins, alert by alert; text, expression and delay change together."""
    Path("otelkit.toml").write_text(
        "[alert_thresholds]\nHighGPUTemperature = 80\nHighErrorRate = 0.2\nLowMemory = 0.2\n"
        "[alert_delays_s]\nHighGPUTemperature = 60\n"
    )
    monkeypatch.setenv("OTELKIT_ALERT_THRESHOLDS", "HighErrorRate=0.1,LowMemory=0.15")
    assert main(["rules", "write", "out", "--threshold", "LowMemory=0.05", "--delay", "CrashLoop=30"]) == 0
    alerts = written(Path("out"))
    assert alerts["HighGPUTemperature"]["expr"].endswith("> 80")
    assert "80 °C" in alerts["HighGPUTemperature"]["annotations"]["description"]
    assert alerts["HighGPUTemperature"]["for"] == "60s"
    assert alerts["HighErrorRate"]["expr"].endswith("> 0.1")
    assert alerts["LowMemory"]["expr"].endswith("< 0.05")
    assert "5 %" in alerts["LowMemory"]["annotations"]["description"]
    assert alerts["CrashLoop"]["for"] == "30s"
    assert alerts["HighLatency"]["expr"].endswith("> 1")


def test_another_file_and_another_grafana(tmp_path: Path) -> None:
    """--config-file and --grafana-url."""
    (tmp_path / "night.toml").write_text("[alert_thresholds]\nLowThroughput = 0\n")
    given = ["--config-file", str(tmp_path / "night.toml"), "--grafana-url", "https://grafana.example"]
    assert main(["rules", "write", "out", *given]) == 0
    alerts = written(Path("out"))
    assert alerts["LowThroughput"]["expr"].endswith("< 0")
    assert alerts["LowThroughput"]["annotations"]["dashboard"].startswith("https://grafana.example/d/")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--threshold", "HighGPUTemprature=80"], ["the name of an alert", "Did you mean 'HighGPUTemperature'?"]),
        (["--threshold", "Whatever=80"], ["the name of an alert", "docs/alerts.md"]),
        (["--delay", "HighLatency=-1"], ["a number from 0 on", "-1.0"]),
        (["--threshold", "HighLatency=inf"], ["a number from 0 on", "inf"]),
        (["--threshold", "HighLatency=nan"], ["a number from 0 on", "nan"]),
        (["--grafana-url", "localhost:3000"], ["http:// or https://", "--grafana-url"]),
    ],
)
def test_a_mistake_is_told(capsys: pytest.CaptureFixture[str], options: list[str], expected: list[str]) -> None:
    """And no file is written."""
    assert main(["rules", "write", "out", *options]) == 2
    error = capsys.readouterr().err
    for text in expected:
        assert text in error
    assert not Path("out").exists()


def test_a_mistake_in_the_file_is_told_with_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    """The file and the key, for an unknown name and for what is no number."""
    Path("otelkit.toml").write_text("[alert_thresholds]\nHighLatencyy = 2\n")
    assert main(["rules", "write", "out"]) == 2
    assert "otelkit.toml: alert_thresholds" in capsys.readouterr().err
    Path("otelkit.toml").write_text("[alert_thresholds]\nHighLatency = 'slow'\n")
    assert main(["rules", "write", "out"]) == 2
    assert "otelkit.toml: alert_thresholds['HighLatency']" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["HighLatency", "HighLatency=", "HighLatency=a"])
def test_an_option_is_a_name_and_a_number(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """argparse says so."""
    with pytest.raises(SystemExit) as ended:
        main(["rules", "write", "--threshold", text])
    assert ended.value.code == 2
    assert "expected ALERT=NUMBER" in capsys.readouterr().err
