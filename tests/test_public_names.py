# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""`__all__` of every public module is a sorted tuple of exactly what the module defines for users."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import types
from pathlib import Path
from typing import Any

import pytest

import otelkit

SPECIAL = {
    "otelkit",  # gathers what others define; see below
    "otelkit.__main__",
    "otelkit.config.__main__",
}


def _public_modules() -> list[str]:
    names = ["otelkit"]
    for found in pkgutil.walk_packages(otelkit.__path__, "otelkit."):
        parts = found.name.split(".")[1:]
        if not any(part.startswith("_") for part in parts):
            names.append(found.name)
    return names


def _defined(module: types.ModuleType) -> set[str]:
    """Return the public classes, functions and constants that the module's source defines."""
    tree = ast.parse(Path(module.__file__ or "").read_text("utf-8"))
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            names.add(node.name)
    return {name for name in names if not name.startswith("_")}


def _rank(name: str) -> tuple[int, str]:
    """Sort constants first, then classes, then functions, as ruff does (RUF022)."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


MODULES = _public_modules()


def test_the_walk_finds_the_rooms() -> None:
    """The list that the tests below go through is not empty by mistake."""
    assert {"otelkit", "otelkit.testing", "otelkit.decorators.metered", "otelkit.instruments.counter"} <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_all_is_a_sorted_tuple_of_names_that_exist(name: str) -> None:
    """Modules that have an `__all__` have a true one."""
    module: Any = importlib.import_module(name)
    names = getattr(module, "__all__", None)
    if names is None:
        assert name not in {"otelkit", "otelkit.testing"}, "a module that users import needs an __all__"
        return
    assert isinstance(names, tuple)
    assert list(names) == sorted(names, key=_rank)
    assert len(set(names)) == len(names)
    for each in names:
        assert hasattr(module, each), each
        assert not each.startswith("_")


@pytest.mark.parametrize("name", sorted(set(MODULES) - SPECIAL))
def test_what_all_names_is_defined_there_or_brought_in_on_purpose(name: str) -> None:
    """No module of the standard library or of ours slips into `__all__`."""
    module: Any = importlib.import_module(name)
    for each in getattr(module, "__all__", ()):
        assert not isinstance(getattr(module, each), types.ModuleType), each


def test_the_public_face_is_what_the_design_promises() -> None:
    """Every name of design.md's public face, and no other."""
    assert set(otelkit.__all__) >= {
        "action",
        "add_label",
        "configure",
        "counter",
        "event_handler",
        "flush",
        "gauge",
        "histogram",
        "increment",
        "job",
        "metered",
        "observe",
        "observed",
        "publisher",
        "rate",
        "service",
        "set",
        "shutdown",
        "summary",
        "timer",
        "traced",
        "up_down_counter",
    }
    assert set(dir(otelkit)) == {*otelkit.__all__, "__version__"}


def test_an_unknown_name_is_an_attribute_error() -> None:
    """Lazy names change nothing about names that do not exist."""
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = otelkit.nothing  # type: ignore[attr-defined]


DECLARING = [
    "otelkit.decorators.event",
    "otelkit.decorators.job",
    "otelkit.decorators.service",
    "otelkit.instruments.counter",
    "otelkit.instruments.gauge",
    "otelkit.instruments.histogram",
    "otelkit.instruments.rate",
]


@pytest.mark.parametrize("name", [module for module in DECLARING if module.startswith("otelkit.instruments")])
def test_instrument_modules_name_all_that_they_define(name: str) -> None:
    """What an instrument module defines publicly is what `__all__` says, less its helpers for annotations."""
    module: Any = importlib.import_module(name)
    assert set(module.__all__) <= _defined(module)
    assert _defined(module) - set(module.__all__) <= {"BoundTimer"}
