# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The recorder: builds, for one function, the wrapper that records its calls.

Wrappers are compiled from source, specialised: sync, coroutine, generator or
async generator; labels or none; plain or framed (spans, labels given late).
Nothing that was known at decoration is asked again at a call.

The order of a plain wrapper's statements is what keeps its accounts exact when
an asynchronous exception lands anywhere in it: capture before ``ok``, the
append last inside the ``try`` (60,000 interrupts balanced; with the capture
inside the append expression 5,755 calls were lost).

A wrapper closes over cells, families and functions only: all of them survive
pickle and cloudpickle. A bound method in the closure would be pickled into a
detached copy that records to nobody.
"""

from __future__ import annotations

import functools
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from otelkit._core._call_cell import CallCell
from otelkit._core._family import CallFamily
from otelkit.decorators._failures import ErrorTypes, Judge, failed
from otelkit.decorators._frame import FramePlan
from otelkit.decorators._labels import LabelPlan
from otelkit.decorators._signature import Signature

_GENERATORS = ("generator", "async generator")

ORIGINAL = "__otelkit_original__"
"""Attribute of a wrapper that holds the function as the user wrote it."""


_FILE = "<otelkit recorder>"


def is_wrapper(function: Any) -> bool:
    """Tell a wrapper of ours from a decorator of the user's around one: `functools.wraps` copies our attributes."""
    return getattr(getattr(function, "__code__", None), "co_filename", None) == _FILE


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What to record of one function.

    Args:
        cell: The only cell, without labels.
        family: Where cells are found, with labels.
        labels: Where label values come from.
        frame: Makes the call a framed one; then ``cell``, ``judge``,
            ``ignored`` and ``after`` are the frame's.
        judge: Asks `record_error_if`.
        ignored: Exceptions that are no errors.
        before: Gets the argument named ``before_argument`` at the start.
        after: Called when a call has succeeded.
    """

    labels: LabelPlan
    cell: CallCell | None = None
    family: CallFamily | None = None
    frame: FramePlan | None = None
    judge: Judge | None = None
    ignored: ErrorTypes = ()
    before: Callable[[Any], None] | None = None
    before_argument: str = ""
    after: Callable[[], None] | None = None


@dataclass(slots=True)
class _Source:
    """Lines of a wrapper under construction."""

    lines: list[str] = field(default_factory=list)

    def add(self, depth: int, *texts: str) -> None:
        self.lines.extend("    " * depth + line for text in texts for line in text.splitlines())


def record(function: Callable[..., Any], signature: Signature, plan: Plan) -> Callable[..., Any]:
    """Return a wrapper of ``function`` that records as ``plan`` says, with `functools.wraps` semantics."""
    kind = _kind(function)
    environment: dict[str, Any] = {
        "_o_function": function,
        "_o_cell": plan.cell,
        "_o_family": plan.family,
        "_o_frame_plan": plan.frame,
        "_o_clock": perf_counter,
        "_o_failed": failed,
        "_o_judge": plan.judge,
        # A consumer that stops early ends a generator as it is meant to end.
        "_o_ignored": (GeneratorExit, *plan.ignored) if kind in _GENERATORS else plan.ignored,
        "_o_before": plan.before,
        "_o_after": plan.after,
        **plan.labels.environment,
        **signature.defaults,
    }
    source = _framed(kind, signature, plan) if plan.frame is not None else _plain(kind, signature, plan)
    text = _factory(source, environment)
    wrapper: Any = _compiled(text)(**environment)
    wrapper.__code__ = wrapper.__code__.replace(
        co_name=getattr(function, "__name__", "call"),
        co_qualname=getattr(function, "__qualname__", "call"),
    )
    functools.update_wrapper(wrapper, function)
    setattr(wrapper, ORIGINAL, function)
    if not inspect.isfunction(function):
        _keep_methods(wrapper, function)
    return wrapper


def _keep_methods(wrapper: Any, function: Any) -> None:
    """Keep the public methods of what is no plain function within reach, such as lru_cache's ``cache_clear``."""
    for name in dir(function):
        if (
            not name.startswith("_")
            and not hasattr(wrapper, name)
            and callable(method := getattr(function, name, None))
        ):
            setattr(wrapper, name, method)


@functools.lru_cache(maxsize=512)
def _compiled(text: str) -> Callable[..., Any]:
    # Methods of the same shape share one compilation; each gets a function of its own from the factory.
    namespace: dict[str, Any] = {"__name__": "otelkit.recorder", "__builtins__": __builtins__}
    exec(compile(text, _FILE, "exec"), namespace)  # noqa: S102 - built from our templates and parameter names only
    return namespace["_o_make"]


def _factory(source: _Source, environment: dict[str, Any]) -> str:
    body = "\n".join("    " + line for line in source.lines)
    return f"def _o_make({', '.join(environment)}):\n{body}\n    return _o_wrapper\n"


def _kind(function: Callable[..., Any]) -> str:
    if not inspect.isroutine(function) and not isinstance(function, functools.partial):
        function = type(function).__call__  # an object that can be called, such as an ASGI application
    if inspect.isasyncgenfunction(function):
        return "async generator"
    if inspect.iscoroutinefunction(function):
        return "coroutine"
    if inspect.isgeneratorfunction(function):
        return "generator"
    return "function"


def _head(kind: str, signature: Signature) -> str:
    prefix = "async " if kind in ("coroutine", "async generator") else ""
    return f"{prefix}def _o_wrapper({signature.parameters}):"


def _find_cell(plan: Plan) -> str:
    """Return the look-up of a labelled call's cell; a value that cannot be hashed goes the slow way."""
    values = plan.labels.expressions
    if not values:
        return ""
    names = [f"_o_label{index}" for index in range(len(values))]
    simple = all(value.isidentifier() for value in values)
    before = "" if simple else "".join(f"{name} = {value}\n" for name, value in zip(names, values, strict=True))
    used = values if simple else tuple(names)
    key = used[0] if len(used) == 1 else f"({', '.join(used)})"
    return (
        f"{before}try:\n    _o_found = _o_family.cells[{key}]\n"
        f"except Exception:\n    _o_found = _o_family.find(({', '.join(used)},))"
    )


def _plain(kind: str, signature: Signature, plan: Plan) -> _Source:
    cell = "_o_found" if plan.labels.expressions else "_o_cell"
    source = _Source()
    source.add(0, _head(kind, signature))
    source.add(1, _find_cell(plan), "_o_ok = False", "_o_start = _o_clock()", "try:")
    source.add(2, f"if not next({cell}.tick) % 100: {cell}.flush()")
    if plan.before is not None:
        source.add(2, f"_o_before({plan.before_argument})")
    source.add(2, _call(kind, signature), _finish(kind, cell, plan))
    source.add(2, "return" if kind == "async generator" else "return _o_result")
    source.add(1, "except BaseException as _o_error:", _indented(_record_failure(cell, kind, plan)), "    raise")
    return source


def _record_failure(cell: str, kind: str, plan: Plan) -> str:
    """
    Return the handler's statements.

    An interrupt that lands in them costs nothing but the error's exact name. At
    the end of the stack there is no room for naming: the call ends as a
    duration alone, so that it is not active for ever.
    """
    failed = f"_o_failed({cell}, _o_error, _o_clock() - _o_start"
    failed += ", _o_ignored)" if plan.ignored or kind in _GENERATORS else ")"
    record = f"_o_target, _o_seconds = {failed}\n_o_ok = True\n_o_target.buffer.append(_o_seconds)"
    return (
        f"if not _o_ok:\n    try:\n{_indented(record, 2)}\n    except RecursionError:\n        if not _o_ok:\n"
        f"            _o_ok = True\n            {cell}.buffer.append(_o_clock() - _o_start)\n        raise\n"
        f"    except BaseException:\n        if not _o_ok:\n"
        f"{_indented(record, 3)}\n        raise"
    )


def _indented(text: str, depth: int = 1) -> str:
    return textwrap.indent(text, "    " * depth)


def _call(kind: str, signature: Signature) -> str:
    call = f"_o_function({signature.arguments})"
    if kind == "coroutine":
        return f"_o_result = await {call}"
    if kind == "generator":
        return f"_o_result = yield from {call}"
    if kind == "async generator":
        return f"_o_generator = {call}\n{_ASYNC_DELEGATION}"
    return f"_o_result = {call}"


_ASYNC_DELEGATION = """\
_o_resume, _o_value = _o_generator.asend, None
try:
    while True:
        _o_item = await _o_resume(_o_value)
        try:
            _o_value = yield _o_item
            _o_resume = _o_generator.asend
        except GeneratorExit:
            await _o_generator.aclose()
            raise
        except BaseException as _o_thrown:
            _o_resume, _o_value = _o_generator.athrow, _o_thrown
except StopAsyncIteration:
    pass"""
"""What ``yield from`` would be for async generators (PEP 380, minus the result)."""


def _finish(kind: str, cell: str, plan: Plan) -> str:
    """Return the statements after the call: see the module's docstring for their order."""
    after = "\n_o_after()" if plan.after is not None else ""
    if plan.judge is None or kind == "async generator":
        return (
            "_o_seconds = _o_clock() - _o_start\n"
            f"if _o_seconds > {cell}.floor: _o_seconds = {cell}.capture(_o_seconds)\n"
            f"_o_ok = True\n{cell}.buffer.append(_o_seconds){after}"
        )
    after = after.replace("\n", "\n    ")
    return (
        "_o_seconds = _o_clock() - _o_start\n"
        "_o_verdict = _o_judge(_o_result)\n"
        f"if _o_verdict is None:\n"
        f"    if _o_seconds > {cell}.floor: _o_seconds = {cell}.capture(_o_seconds)\n"
        f"    _o_ok = True\n    {cell}.buffer.append(_o_seconds){after}\n"
        f"else:\n    _o_target = {cell}.failure(_o_verdict)\n    _o_ok = True\n    _o_target.buffer.append(_o_seconds)"
    )


def _framed(kind: str, signature: Signature, plan: Plan) -> _Source:
    early = "".join(f"{value}, " for value in plan.labels.expressions)
    source = _Source()
    source.add(0, _head(kind, signature))
    source.add(1, f"_o_frame = _o_frame_plan.open(({early}))")
    source.add(1, "try:")
    if kind in ("function", "coroutine"):
        source.add(2, "_o_frame.resume()")
    if plan.before is not None:
        source.add(2, f"_o_before({plan.before_argument})")
    if kind == "generator":
        source.add(2, f"_o_generator = _o_function({signature.arguments})", _GENERATOR_DELEGATION)
    elif kind == "async generator":
        source.add(2, f"_o_generator = _o_function({signature.arguments})", _FRAMED_ASYNC_DELEGATION)
    else:
        source.add(2, _call(kind, signature), "_o_frame.succeed(_o_result)", "return _o_result")
    if kind in _GENERATORS:
        source.add(1, "except GeneratorExit:", "    _o_frame.succeed()", "    raise")
    source.add(1, "except BaseException as _o_error:", _FRAMED_FAILURE)
    source.add(1, "finally:")
    if kind in ("function", "coroutine"):
        source.add(2, "try: _o_frame.pause()", "finally: _o_frame.close()")
    else:
        source.add(2, "_o_frame.close()")
    return source


_FRAMED_FAILURE = """\
    try:
        _o_frame.fail(_o_error)
    except RecursionError:
        if not _o_frame.done and _o_frame.cell is not None:
            _o_frame.done = True
            _o_frame.cell.buffer.append(_o_clock() - _o_frame.started)
        raise
    except BaseException:
        _o_frame.fail(_o_error)
        raise
    raise"""

_GENERATOR_DELEGATION = """\
_o_resume, _o_value = _o_generator.send, None
while True:
    _o_frame.resume()
    try:
        _o_item = _o_resume(_o_value)
    except StopIteration as _o_stop:
        _o_frame.succeed(_o_stop.value)
        return _o_stop.value
    finally:
        _o_frame.pause()
    try:
        _o_value = yield _o_item
        _o_resume = _o_generator.send
    except GeneratorExit:
        _o_frame.resume()
        try:
            _o_generator.close()
        finally:
            _o_frame.pause()
        raise
    except BaseException as _o_thrown:
        _o_resume, _o_value = _o_generator.throw, _o_thrown"""
"""``yield from`` by hand (PEP 380), so that the frame is never current across a ``yield``."""

_FRAMED_ASYNC_DELEGATION = """\
_o_resume, _o_value = _o_generator.asend, None
while True:
    _o_frame.resume()
    try:
        _o_item = await _o_resume(_o_value)
    except StopAsyncIteration:
        _o_frame.succeed()
        return
    finally:
        _o_frame.pause()
    try:
        _o_value = yield _o_item
        _o_resume = _o_generator.asend
    except GeneratorExit:
        _o_frame.resume()
        try:
            await _o_generator.aclose()
        finally:
            _o_frame.pause()
        raise
    except BaseException as _o_thrown:
        _o_resume, _o_value = _o_generator.athrow, _o_thrown"""
