# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""`Patches` changes what a program imports, and puts it back."""

from __future__ import annotations

import importlib
import inspect
import logging
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from otelkit_instrumentation._patching import Patches, is_patched, original_of

from otelkit._core._guard import guard

SOURCE = '''
class Base:
    def inherited(self): return "inherited"

class Engine(Base):
    def run(self, rows: int, *, fast: bool = False) -> int:
        """Run it."""
        return rows
    @staticmethod
    def static(rows): return rows
    @classmethod
    def made(cls): return cls()

def plain(rows): return rows
'''


@pytest.fixture
def name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a module that can be imported, and has not been."""
    name = f"patched_{request.node.name.replace('[', '_').replace(']', '')}"
    (tmp_path / f"{name}.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield name
    sys.modules.pop(name, None)


@pytest.fixture
def patches() -> Iterator[Patches]:
    """Changes that are undone at the end."""
    patches = Patches("test")
    yield patches
    patches.restore()


def doubling(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a wrapper that calls twice."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return (function(*args, **kwargs), function(*args, **kwargs))

    return call


def patch_all(patches: Patches, module: ModuleType) -> None:
    """Wrap all that SOURCE has, and what it has not."""
    for owner, attribute in (
        *((module.Engine, each) for each in ("run", "static", "made", "inherited", "missing")),
        (module, "plain"),
    ):
        patches.wrap(owner, attribute, doubling)


def test_a_module_is_patched_when_it_is_imported(patches: Patches, name: str) -> None:
    """Registering imports nothing."""
    patches.when_imported(name, lambda module: patch_all(patches, module))
    assert name not in sys.modules
    assert importlib.import_module(name).plain(3) == (3, 3)


def test_a_module_that_is_there_is_patched_at_once(patches: Patches, name: str) -> None:
    """It does not matter who comes first."""
    module = importlib.import_module(name)
    patches.when_imported(name, lambda module: patch_all(patches, module))
    assert module.plain(3) == (3, 3)


def test_wrapped_methods_stay_what_they_are(patches: Patches, name: str) -> None:
    """Name, signature, docstring, static and class methods; a missing attribute is left alone."""
    module = importlib.import_module(name)
    patch_all(patches, module)
    assert module.Engine().run(2, fast=True) == (2, 2)
    assert module.Engine.static(2) == (2, 2)
    assert isinstance(module.Engine.made()[0], module.Engine)
    assert module.Engine().inherited() == ("inherited", "inherited")
    assert module.Base().inherited() == "inherited"
    assert str(inspect.signature(module.Engine.run)) == "(self, rows: int, *, fast: bool = False) -> int"
    assert (module.Engine.run.__name__, module.Engine.run.__doc__) == ("run", "Run it.")
    assert not hasattr(module.Engine, "missing")
    assert is_patched(module.plain)
    assert original_of(module.plain)(3) == 3


def test_restoring_is_exact(patches: Patches, name: str) -> None:
    """The very objects that were there are back, and what was inherited is inherited again."""
    module = importlib.import_module(name)
    before = {**vars(module.Engine)}, {**vars(module)}
    patch_all(patches, module)
    patches.restore()
    after = {**vars(module.Engine)}, {**vars(module)}
    for then, now in zip(before, after, strict=True):
        assert then.keys() == now.keys()
        assert all(then[key] is now[key] for key in then)


def test_nothing_is_patched_after_restoring(patches: Patches, name: str) -> None:
    """A module that is imported later stays as it is."""
    patches.when_imported(name, lambda module: patch_all(patches, module))
    patches.restore()
    assert importlib.import_module(name).plain(3) == 3


def test_what_is_wrapped_is_not_wrapped_again(patches: Patches, name: str) -> None:
    """Two hooks that meet at one function do not count twice."""
    module = importlib.import_module(name)
    patch_all(patches, module)
    patch_all(patches, module)
    assert module.plain(3) == (3, 3)


def test_somebody_elses_wrapper_is_left_in_place(patches: Patches, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Putting the original back would take theirs away; one line says so."""
    module = importlib.import_module(name)
    patch_all(patches, module)
    ours = module.plain
    module.plain = theirs = lambda rows: ours(rows)
    with caplog.at_level(logging.WARNING, "otelkit"):
        patches.restore()
    assert module.plain is theirs
    assert f"{name}.plain" in caplog.text


def test_a_patch_that_fails_does_not_break_the_import(patches: Patches, name: str) -> None:
    """It is counted, and the module is there."""

    def failures() -> int:
        return sum(items for what, labels, items in guard.tallies() if what == "failures" and name in str(labels))

    patches.when_imported(name, lambda module: module.nothing_of_that_name)
    before = failures()
    assert importlib.import_module(name).plain(3) == 3
    assert failures() == before + 1


def test_patched_functions_can_be_pickled(patches: Patches, name: str) -> None:
    """By reference, as functions of a module are: process pools send them."""
    module = importlib.import_module(name)
    patch_all(patches, module)
    assert pickle.loads(pickle.dumps(module.plain)) is module.plain
    assert pickle.loads(pickle.dumps(module.Engine().run))(2) == (2, 2)
