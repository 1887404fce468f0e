# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
``otelkit run``: a program that has never heard of otelkit, observed.

Puts a folder with a ``sitecustomize`` first on PYTHONPATH and becomes the
program (exec): process id, exit code, signals, stdin, stdout and working
folder are the program's own. The Python processes that the program starts
inherit PYTHONPATH and are instrumented too, unless ``--no-children``; workers
of one server share /metrics, other programs leave it to the first.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import NoReturn

from otelkit.cli import _options

__all__ = ("add_arguments", "main")

_STARTUP_FOLDER = str(Path(__file__).with_name("_startup"))
_ONLY_THE_PROGRAM = "_OTELKIT_RUN_ONLY_THE_PROGRAM"
_EXIT_CANNOT_EXECUTE = 126
_EXIT_NOT_FOUND = 127

_EPILOG = """\
The program is what follows the options, or `--`: an executable with its
arguments, `-m module`, or a Python file.

  otelkit run --service-name shop -- python app.py --verbose
  otelkit run --metrics-exporters prometheus -m http.server 8000
  otelkit run -- gunicorn app:app

Options override environment variables, and these otelkit.toml. Which
instrumentors are loaded: all that are installed, but for those named in
OTEL_PYTHON_DISABLED_INSTRUMENTATIONS. If anything goes wrong in setting up,
the program runs all the same, and one line on stderr says why.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options: one for each setting."""
    parser.usage = "otelkit run [OPTIONS] [--] PROGRAM [ARGUMENTS] | [OPTIONS] -m MODULE [ARGUMENTS]"
    parser.epilog = _EPILOG
    parser.add_argument(
        "--no-children", action="store_true", help="leave the Python processes that the program starts uninstrumented"
    )
    parser.add_argument("-m", dest="module", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    parser.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    _options.add_settings(parser)


def main(arguments: argparse.Namespace) -> int:
    """Become the program; returns only if that is not possible."""
    command = _command(arguments)
    if not command:
        print("otelkit: Expected a program to run, got none. See `otelkit run --help`.", file=sys.stderr)
        return 2
    environment = dict(os.environ)
    _options.export_settings(arguments, environment)
    _prepare(environment, children=not arguments.no_children)
    if _ignores_environment(command):
        _say("the program runs without it: with -E, -I or -S, Python does not look at PYTHONPATH. Leave them out.")
    return _become(command, environment)


def _command(arguments: argparse.Namespace) -> list[str]:
    """Return the words to execute."""
    words: list[str] = arguments.command
    if arguments.module is not None:
        return [sys.executable, "-m", *arguments.module, *words]
    if words[:1] == ["--"]:
        words = words[1:]
    if words[:1] == ["-m"] or (words and words[0].endswith(".py") and not os.access(words[0], os.X_OK)):
        return [sys.executable, *words]
    return words


def _prepare(environment: MutableMapping[str, str], *, children: bool) -> None:
    python_path = environment.get("PYTHONPATH")
    # An empty entry stands for the working folder, so an empty variable must not become one.
    inherited = [path for path in python_path.split(os.pathsep) if path != _STARTUP_FOLDER] if python_path else []
    environment["PYTHONPATH"] = os.pathsep.join([_STARTUP_FOLDER, *inherited])
    environment["OTEL_PYTHON_DISTRO"] = environment["OTEL_PYTHON_CONFIGURATOR"] = "otelkit"
    if not children:
        environment[_ONLY_THE_PROGRAM] = "yes"


def _ignores_environment(command: Sequence[str]) -> bool:
    """Say whether the command is a Python that was told not to look at PYTHONPATH or not to load sitecustomize."""
    if not os.path.basename(command[0]).startswith("python"):
        return False
    for word in command[1:]:
        if not word.startswith("-") or word == "-":
            return False
        for letter in word[1:]:
            if letter in "EIS":
                return True
            if letter in "cmWX-":
                break
        if word[1:2] in ("c", "m"):
            return False
    return False


def _become(command: Sequence[str], environment: Mapping[str, str]) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        _exec(command, environment)
    except FileNotFoundError:
        _say(f"Expected a program, got {command[0]!r} - not found on PATH.")
        return _EXIT_NOT_FOUND
    except OSError as error:
        _say(f"Expected a program, got {command[0]!r} - {error.strerror}.")
        return _EXIT_CANNOT_EXECUTE


def _exec(command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    # Looked up on the PATH of the caller, as a shell would: no option can change PATH.
    os.execvpe(command[0], list(command), environment)  # noqa: S606 - running the user's program is the purpose


def _say(text: str) -> None:
    print(f"otelkit: {text}", file=sys.stderr)
