# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Where the file is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from otelkit.config import load


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a folder in it, which is the current one."""
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "deeper")
    return tmp_path


def write(path: Path, text: str) -> Path:
    """Write a file."""
    path.write_text(text, encoding="utf-8")
    return path


def test_current_directory_and_upwards(project: Path) -> None:
    """The nearest file counts, and it alone."""
    write(project / "otelkit.toml", "service_name = 'far'\nprometheus_port = 1\n")
    assert load(None, {}).service_name == "far"
    assert load(None, {}).source("service_name") == f"{project / 'otelkit.toml'}: service_name"
    write(project / "deep" / "deeper" / "otelkit.toml", "service_name = 'near'\n")
    settings = load(None, {})
    assert (settings.service_name, settings.prometheus_port) == ("near", 9464)
    assert settings.source("service_name") == "otelkit.toml: service_name"


def test_project_file(project: Path) -> None:
    """[tool.otelkit] counts; other people's pyproject.toml is neither read nor complained about."""
    write(project / "pyproject.toml", "[tool.otelkit]\nservice_name = 'shop'\n")
    write(project / "deep" / "pyproject.toml", "[tool.other]\nmentions = 'otelkit'\n")
    write(project / "deep" / "deeper" / "pyproject.toml", "this is no TOML\n")
    assert load(None, {}).service_name == "shop"


def test_own_file_before_the_project_file(project: Path) -> None:
    """In one folder otelkit.toml is read and pyproject.toml is not."""
    write(project / "pyproject.toml", "[tool.otelkit]\nservice_name = 'a'\n")
    write(project / "otelkit.toml", "service_name = 'b'\n")
    assert load(None, {}).service_name == "b"


def test_named_files(project: Path) -> None:
    """The argument goes before the variable, and both before looking."""
    write(project / "deep" / "otelkit.toml", "service_name = 'found'\n")
    by_variable = write(project / "by-variable.toml", "service_name = 'variable'\n")
    by_argument = write(project / "pyproject.toml", "[tool.otelkit]\nservice_name = 'argument'\n")
    environ = {"OTELKIT_CONFIG_FILE": str(by_variable)}
    assert load(None, {}).service_name == "found"
    assert load(None, environ).service_name == "variable"
    assert load(by_argument, environ).service_name == "argument"
    assert load(None, {"OTELKIT_CONFIG_FILE": "/dev/null"}).service_name is None


def test_a_removed_directory(project: Path) -> None:
    """A program may run in a directory that is gone."""
    named = write(project / "otelkit.toml", "service_name = 'shop'\n")
    (project / "deep" / "deeper").rmdir()
    assert load(None, {}).service_name is None
    assert load(named, {}).source("service_name") == f"{named}: service_name"


def test_a_folder_in_the_files_place(project: Path) -> None:
    """Only files count."""
    (project / "deep" / "otelkit.toml").mkdir()
    (project / "deep" / "pyproject.toml").mkdir()
    write(project / "otelkit.toml", "service_name = 'shop'\n")
    assert load(None, {}).service_name == "shop"


def test_relative_paths_start_from_the_file(project: Path) -> None:
    """A file's relative paths do not depend on where the program was started."""
    write(project / "otelkit.toml", "data_folder = 'data'\n")
    assert load(None, {}).data_folder == str(project / "data")
    assert load(None, {}, data_folder="data").data_folder == "data"
    write(project / "otelkit.toml", "data_folder = '/data'\n")
    assert load(None, {}).data_folder == "/data"
