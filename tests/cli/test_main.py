# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The ``otelkit`` command itself."""

import subprocess
import sys
from pathlib import Path

import pytest

from otelkit.cli import COMMANDS, main

CONSOLE_SCRIPT = Path(sys.executable).with_name("otelkit")


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"], []])
def test_help_lists_every_command(capsys, words):
    """However help is asked for, it names all commands."""
    assert main(words) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS)


@pytest.mark.parametrize("name", ["run", "doctor"])
def test_help_of_a_command(capsys, name):
    """``otelkit help X`` is ``otelkit X --help``."""
    with pytest.raises(SystemExit) as first:
        main([name, "--help"])
    usage = capsys.readouterr().out
    with pytest.raises(SystemExit) as second:
        main(["help", name])
    assert (first.value.code, second.value.code) == (0, 0)
    assert capsys.readouterr().out == usage
    assert usage.startswith(f"usage: otelkit {name}")


def test_an_output_that_cannot_encode_everything():
    """Help is printed to a terminal of any encoding."""
    for encoding in ("ascii", "latin-1"):
        done = subprocess.run(
            [CONSOLE_SCRIPT, "run", "--help"], capture_output=True, env={"PYTHONIOENCODING": encoding}
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"KEY=VALUE," in done.stdout


@pytest.mark.parametrize("words", [["--version"], ["-V"]])
def test_version(capsys, words):
    """The version is that of the installed distribution."""
    from importlib.metadata import version

    assert main(words) == 0
    assert capsys.readouterr().out == f"otelkit {version('otelkit')}\n"


def test_unknown_command(capsys):
    """A misspelt command gets the nearest one."""
    assert main(["docter"]) == 2
    assert "Did you mean 'doctor'?" in capsys.readouterr().err
    assert main(["help", "docter"]) == 2
    assert "Did you mean 'doctor'?" in capsys.readouterr().err


def test_unknown_option(capsys):
    """An option that does not exist is wrong usage."""
    assert main(["--frobnicate"]) == 2
    assert "the option '--frobnicate'" in capsys.readouterr().err


@pytest.mark.parametrize("command", [[str(CONSOLE_SCRIPT)], [sys.executable, "-m", "otelkit"]])
def test_entry_points(command):
    """The console script and ``python -m otelkit`` are the same command."""
    done = subprocess.run([*command, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "otelkit run --service-name shop -- python app.py" in done.stdout


HEAVY = ("opentelemetry.sdk", "grpc", "rich", "requests", "pynvml", "google.protobuf", "psutil", "magika")


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["doctor", "--help"]])
def test_help_loads_nothing_heavy(words):
    """Help comes up without the SDK, grpc or a terminal library."""
    program = f"""
import sys
from otelkit.cli import main
try:
    main({words!r})
except SystemExit:
    pass
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr == "[]\n"
