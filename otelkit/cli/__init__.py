# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The ``otelkit`` command.

A subcommand is a module with ``add_arguments(parser)`` and
``main(arguments) -> int``, and is imported only when it is the one asked for:
``otelkit --help`` loads neither the SDK nor grpc.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

from otelkit.exceptions import OtelkitError, did_you_mean

__all__ = ("COMMANDS", "Command", "main")

_EXIT_USAGE = 2
_EXIT_INTERRUPTED = 130
_EXIT_BROKEN_PIPE = 141


class Command(NamedTuple):
    """Where a subcommand lives, and the line that ``otelkit --help`` shows for it."""

    module: str
    help: str


COMMANDS = {
    "demo": Command("otelkit.cli.demo", "Run a small real system and watch it live, here in the terminal."),
    "dashboard": Command("otelkit.cli.dashboard", "Receive OTLP from any program, keep it, and see it in the browser."),
    "run": Command("otelkit.cli.run", "Run a program instrumented, without changing a line of it."),
    "doctor": Command("otelkit.cli.doctor", "Check configuration, endpoints and environment; print the fix for each."),
    "dashboards": Command("otelkit.cli.dashboards", "Write Grafana's dashboards, or put them into a Grafana."),
    "rules": Command("otelkit.cli.rules", "Write alert and recording rules for Prometheus."),
    "metrics-server": Command("otelkit.cli.metrics_server", "Serve /metrics for a server's workers, from outside."),
}

_HELP = """\
Usage: otelkit COMMAND [OPTIONS]

OpenTelemetry instrumentation that costs less than a microsecond.

Commands:
{commands}

Options:
  -h, --help     Show this text; `otelkit COMMAND --help` shows a command's options.
  -V, --version  Show the version.

Examples:
  otelkit demo --duration 15
  otelkit run --service-name shop -- python app.py
  otelkit doctor
"""


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command line ``argv`` (that of the process by default).

    Returns:
        The exit code: 0 done, 1 something is broken, 2 wrong usage or
        configuration, 130 interrupted. ``otelkit run`` does not return: the
        program takes this process over.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    _print_whatever_the_encoding()
    if not words or words[0] in ("-h", "--help", "help"):
        return _help(words[1:] if words[:1] == ["help"] else [])
    if words[0] in ("-V", "--version"):
        print(f"otelkit {_version()}")
        return 0
    command = COMMANDS.get(words[0])
    if command is None:
        return _unknown(words[0])
    try:
        return _dispatch(words[0], command, words[1:])
    except OtelkitError as error:
        print(f"otelkit: {error}", file=sys.stderr)
        return _EXIT_USAGE
    except KeyboardInterrupt:
        return _EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has gone; without this the interpreter complains once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _EXIT_BROKEN_PIPE


def _print_whatever_the_encoding() -> None:
    # Where the output's encoding has no µ or ✓ (PYTHONIOENCODING=ascii, ISO-8859-1), a ? beats a traceback.
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # replaced by something that is no text file, or closed
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]


def _dispatch(name: str, command: Command, words: list[str]) -> int:
    module = importlib.import_module(command.module)
    parser = argparse.ArgumentParser(
        prog=f"otelkit {name}",
        description=command.help,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    code: int = module.main(parser.parse_args(words))
    sys.stdout.flush()
    return code


def _help(words: list[str]) -> int:
    if words and words[0] in COMMANDS:
        return _dispatch(words[0], COMMANDS[words[0]], ["--help"])
    if words:
        return _unknown(words[0])
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.help}" for name, command in COMMANDS.items()]
    print(_HELP.format(commands="\n".join(lines)), end="")
    return 0


def _unknown(word: str) -> int:
    kind = "option" if word.startswith("-") else "command"
    hint = did_you_mean(word, COMMANDS) if kind == "command" else ""
    text = f"otelkit: Expected one of the commands {', '.join(COMMANDS)}, got the {kind} {word!r}. {hint}".rstrip()
    print(f"{text}\n`otelkit --help` lists the commands.", file=sys.stderr)
    return _EXIT_USAGE


def _version() -> str:
    from importlib.metadata import version

    return version("otelkit")
