# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The arrows between the rooms, held by reading every import; and what `import otelkit` may load."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import otelkit

PACKAGE = Path(otelkit.__file__).parent

EVERYWHERE = frozenset(
    {"otelkit.exceptions", "otelkit.semconv", "otelkit.environment_variables", "otelkit.masking", "otelkit.__version__"}
)
"""Leaves: names and errors, which need no more than `_core`'s data types."""

ARROWS: dict[str, frozenset[str]] = {
    "_core": frozenset({"_core"}),
    "config": frozenset({"config", "_core"}),
    "instruments": frozenset({"instruments", "_core", "config"}),
    "decorators": frozenset({"decorators", "instruments", "_core", "config"}),
    "loops": frozenset({"loops", "decorators", "instruments", "_core", "config"}),
    "pipeline": frozenset({"pipeline", "decorators", "instruments", "_core", "config"}),
    "jobs": frozenset({"jobs", "pipeline", "decorators", "instruments", "_core", "config"}),
    "exporters": frozenset({"exporters", "pipeline", "decorators", "instruments", "_core", "config"}),
    "devices": frozenset({"devices", "pipeline", "decorators", "instruments", "_core", "config"}),
    "dashboards": frozenset({"dashboards", "exporters", "_core"}),
    "rules": frozenset({"rules", "dashboards", "exporters", "config", "_core"}),
}
"""Which rooms a room may import; `cli` and what stands beside the rooms may import all."""

ON_DEMAND = {
    # `configure` starts what the settings name. It finds it by name and loads it then, as anyio does its backends:
    # lazily, inside a function, so that the room can be imported, and tested, without them.
    ("pipeline", "exporters"),
    ("pipeline", "devices"),
    ("pipeline", "viewer"),
}

SDK_ROOMS = {"pipeline", "exporters", "testing", "cli"}
"""Rooms that may name the SDK; `testing` builds a provider for tests, `cli` looks at the ones installed."""


def _modules() -> Iterator[tuple[str, str, ast.Module]]:
    """Yield room, module name and syntax tree of every module of the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[0] == "_examples" or "_startup" in parts:  # programs of their own, which the wheel carries
            continue
        yield parts[0], ".".join(("otelkit", *parts)).removesuffix(".__init__"), ast.parse(path.read_text("utf-8"))


def _imports(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """Yield each imported module, and whether that happens inside a function; what only types need is left out."""
    checked_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for part in node.body
        for inner in ast.walk(part)
    }
    inside = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in checked_only:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in inside
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            module = node.module or ""
            for alias in node.names if module in ("otelkit", "otelkit.exporters", "otelkit.devices") else ():
                yield f"{module}.{alias.name}", id(node) in inside
            yield module, id(node) in inside


def test_rooms_import_only_what_their_arrows_allow() -> None:
    """Lazy imports count, too, but for those that `configure` makes on demand."""
    wrong = []
    for room, name, tree in _modules():
        if room not in ARROWS:
            continue
        for imported, lazy in _imports(tree):
            if not imported.startswith("otelkit.") or imported in EVERYWHERE:
                continue
            other = imported.split(".")[1]
            if f"otelkit.{other}" in EVERYWHERE or other in ARROWS[room] or (lazy and (room, other) in ON_DEMAND):
                continue
            wrong.append(f"{name} imports {imported}")
    assert not wrong


def test_the_core_needs_the_standard_library_only() -> None:
    """Besides itself and the errors, so that a native implementation can take its place."""
    wrong = [
        f"{name} imports {imported}"
        for room, name, tree in _modules()
        if room == "_core"
        for imported, _ in _imports(tree)
        if imported.split(".")[0] not in sys.stdlib_module_names
        and not imported.startswith("otelkit._core")
        and imported != "otelkit.exceptions"
    ]
    assert not wrong


def test_the_sdk_is_known_to_the_pipeline_and_exporters_only() -> None:
    """Declaring and recording know OpenTelemetry's API at most, and the core not even that."""
    wrong = [
        f"{name} imports {imported}"
        for room, name, tree in _modules()
        if room not in SDK_ROOMS
        for imported, _ in _imports(tree)
        if imported.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))
    ]
    assert not wrong


def test_nothing_imports_the_instrumentors() -> None:
    """They are found by entry point; otelkit works without them."""
    wrong = [
        name
        for _, name, tree in _modules()
        for imported, _ in _imports(tree)
        if imported.split(".")[0] == "otelkit_instrumentation"
    ]
    assert not wrong


def test_metric_names_live_in_semconv_only() -> None:
    """No other module writes a metric's name into a declaration."""
    creators = ("counter", "gauge", "up_down_counter", "histogram", "timer", "summary", "rate", "Metric")
    wrong = []
    for room, name, tree in _modules():
        if name == "otelkit.semconv":
            continue
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args):
            called = ast.unparse(call.func).split(".")[-1]
            name_given = call.args[0]
            # f"{name}.count" is derived from a name that was given, not written here.
            derived = isinstance(name_given, ast.JoinedStr) and isinstance(name_given.values[0], ast.FormattedValue)
            literal = isinstance(name_given, (ast.Constant, ast.JoinedStr)) and not derived
            if literal and (called in creators or called.startswith("create_observable_")):
                wrong.append(f"{name}:{call.lineno} ({room}) {ast.unparse(call)[:80]}")
    assert not wrong


HEAVY = (
    "grpc",
    "requests",
    "pynvml",
    "psutil",
    "http.server",
    "urllib3",
    "prometheus_client",
    "opentelemetry.exporter",
    "opentelemetry.sdk",
    "starlette",
    "uvicorn",
    "rich",
    "grafana_foundation_sdk",
    "yaml",
    "torch",
    "wrapt",
    "asyncio",
)


@pytest.mark.parametrize("declared", ["", "@otelkit.service\nclass S:\n    def a(self): ...\notelkit.counter('c')"])
def test_import_stays_light(declared: str) -> None:
    """Importing and declaring loads no exporter, SDK, NVML, web server or framework."""
    code = f"import sys, otelkit\n{declared}\nprint('\\n'.join(sys.modules))"
    environment = {"PATH": "/usr/bin", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, timeout=60
    )
    loaded = set(done.stdout.split())
    assert "otelkit.decorators.metered" in loaded
    found = sorted(name for name in loaded if name.startswith(tuple(f"{heavy}." for heavy in HEAVY)) or name in HEAVY)
    assert not found
