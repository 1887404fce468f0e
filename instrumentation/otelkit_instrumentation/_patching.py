# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
`Patches`: what one instrumentor changes in other people's modules, and how it is put back.

Modules are patched when the program imports them, by wrapt's post-import
hooks: nothing is imported for its own sake. Functions are replaced by plain
functions, not by wrapt's proxies, which cannot be pickled and cost more to call.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import wrapt

from otelkit._core._guard import guard

__all__ = ("Patches", "is_patched", "original_of", "wrapper_of")

Maker = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Gets the original function and returns what stands in for it."""

_ABSENT = object()
_ORIGINAL = "__otelkit_unpatched__"


def original_of(function: Any) -> Any:
    """Return what ``function`` was before it was patched; itself, if it never was."""
    return getattr(function, _ORIGINAL, function)


def is_patched(function: Any) -> bool:
    """Tell whether ``function`` stands in for another one."""
    return hasattr(function, _ORIGINAL)


def wrapper_of(function: Callable[..., Any], make: Maker) -> Callable[..., Any]:
    """Return what ``make`` makes of ``function``, with its name, signature and docstring."""
    wrapper = functools.update_wrapper(make(function), function)
    setattr(wrapper, _ORIGINAL, function)
    return wrapper


class Patches:
    """
    The changes of one instrumentor. Thread-safe.

    Attributes:
        active: Whether they are in force; what outlives them (a wrapper that
            somebody else holds) can ask.
    """

    def __init__(self, library: str) -> None:
        self.active = True
        self._library = library
        self._changes: list[tuple[Any, str, Any, Any]] = []
        self._undo: list[Callable[[], object]] = []
        self._lock = threading.RLock()

    def when_imported(self, module: str, patch: Callable[[ModuleType], None]) -> None:
        """
        Call ``patch`` with the module when the program imports it; at once, if it has already.

        What ``patch`` raises is counted and logged: it must not break the import.
        """

        def imported(found: ModuleType) -> None:
            if self.active:
                with guard.shield(f"instrumenting {self._library} ({module})"):
                    patch(found)

        wrapt.register_post_import_hook(imported, module)

    def wrap(self, owner: Any, attribute: str, make: Maker) -> None:
        """
        Put a wrapper in the place of a function or method.

        Args:
            owner: A module or class; one without the attribute is left alone.
            attribute: Static and class methods stay what they are. One that
                is inherited is wrapped on ``owner`` only.
            make: Gets the original function; the wrapper takes over its name,
                signature and docstring.
        """
        raw: Any = inspect.getattr_static(owner, attribute, None)
        kind = type(raw) if isinstance(raw, (staticmethod, classmethod)) else None
        function = raw if kind is None else raw.__func__
        if not callable(function) or (attribute in vars(owner) and is_patched(function)):
            return
        wrapper = wrapper_of(function, make)
        self.replace(owner, attribute, wrapper if kind is None else kind(wrapper))

    def replace(self, owner: Any, attribute: str, new: Any) -> None:
        """Set ``owner.attribute``, which may be new, to ``new``."""
        with self._lock:
            if not self.active:
                return
            before = vars(owner).get(attribute, _ABSENT)
            setattr(owner, attribute, new)
            self._changes.append((owner, attribute, before, new))

    def on_restore(self, undo: Callable[[], object]) -> None:
        """Have ``undo`` called when everything is put back: for what is no attribute, such as a receiver of signals."""
        with self._lock:
            self._undo.append(undo)

    def restore(self) -> None:
        """
        Put everything back, and patch nothing more.

        What somebody else has wrapped in the meantime stays: taking it away would take theirs, too.
        """
        with self._lock:
            self.active = False
            while self._undo:
                with guard.shield(f"uninstrumenting {self._library}"):
                    self._undo.pop()()
            while self._changes:
                owner, attribute, before, new = self._changes.pop()
                with guard.shield(f"uninstrumenting {self._library}"):
                    if vars(owner).get(attribute, _ABSENT) is not new:
                        name = f"{getattr(owner, '__name__', owner)}.{attribute}"
                        guard.warn(
                            f"restore {name}", f"otelkit leaves {name} as it is: something else wraps it by now."
                        )
                    elif before is _ABSENT:
                        delattr(owner, attribute)
                    else:
                        setattr(owner, attribute, before)
