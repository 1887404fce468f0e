# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
A Ray driver, or a worker that submits: functions and actor classes that take the submitter's context along.

A remote function is exported as a wrapper that travels by value, with one more
keyword parameter for the carrier; so are an actor's methods. The wrapper looks
for otelkit where it runs: without it, it calls the function and no more.
"""

from __future__ import annotations

import functools
import inspect
import os
import pickle
import sys
import threading
import time
import uuid
import weakref
from collections.abc import Callable
from inspect import Parameter
from typing import Any

from opentelemetry import context

from otelkit._core._guard import guard
from otelkit.jobs import headers_of, is_suppressed, setup_of_this_process
from otelkit.jobs.engine import name_of
from otelkit_instrumentation.batch._ray_fates import fates
from otelkit_instrumentation.batch._ray_worker import ENGINE

KEY = "_otelkit"
"""The keyword parameter for the carrier."""
_MARK = "__otelkit_carried__"
"""On a wrapper: which configuration of which process it takes along."""

_lock = threading.Lock()
_functions: weakref.WeakSet[Any] = weakref.WeakSet()
_classes: weakref.WeakSet[Any] = weakref.WeakSet()


# -- functions ------------------------------------------------------------------------


def remote_function(remote: Callable[..., Any]) -> Callable[..., Any]:
    """Around ``RemoteFunction._remote``."""

    def observed(function: Any, args: Any = None, kwargs: Any = None, *more: Any, **options: Any) -> Any:
        job = None
        with guard.shield("ray"):
            if _is_wanted() and not function._is_cross_language:
                _prepare_function(function)
                job = ENGINE.job_of(inspect.unwrap(function._function))
                retries = options.get("max_retries")
                retries = int(os.environ.get("RAY_TASK_MAX_RETRIES", 3)) if retries is None else retries
                kwargs = {**(kwargs or {}), KEY: _carrier(retries, options.get("retry_exceptions"))}
        result = remote(function, args, kwargs, *more, **options)
        if job is not None:
            job.send()
            fates.remember(result, job)
        return result

    return observed


def _prepare_function(function: Any) -> None:
    """Have a function exported, once more if need be, as one that takes a carrier."""
    token = _token()
    mark = getattr(function._function, _MARK, "")
    if mark == token or (mark and not _is_of_this_process(mark)):
        return
    with _lock:
        if getattr(function._function, _MARK, "") == token:
            return
        original = function._function.__wrapped__ if mark else function._function
        _export_as(function, _carrying(original, token, _setup(), name_of(original)))
        _functions.add(function)


def _export_as(function: Any, new: Any) -> None:
    with function._inject_lock:
        function._function = new
        function._function_signature = None
        function._uuid = uuid.uuid4()  # workers know the function that they have already by this
        function._last_export_cluster_and_job = None


# -- actors -----------------------------------------------------------------------------


def actor_class(remote: Callable[..., Any]) -> Callable[..., Any]:
    """Around ``ActorClass._remote``, which creates an actor."""

    def observed(actor: Any, *args: Any, **kwargs: Any) -> Any:
        with guard.shield("ray"):
            metadata = actor.__ray_metadata__
            if _is_wanted() and not metadata.is_cross_language:
                _prepare_class(metadata)
        return remote(actor, *args, **kwargs)

    return observed


def actor_method(remote: Callable[..., Any]) -> Callable[..., Any]:
    """Around ``ActorMethod._remote``."""

    def observed(method: Any, args: Any = None, kwargs: Any = None, *more: Any, **options: Any) -> Any:
        job = None
        with guard.shield("ray"):
            name = method._method_name
            actor = method._actor
            signature = actor._ray_method_signatures.get(name) if actor is not None else None
            job_name = next((each.annotation for each in signature or () if each.name == KEY), None)
            if job_name is not None and _is_wanted():
                job = ENGINE.job(job_name)
                retries = options.get("max_task_retries")
                retries = method._max_task_retries if retries is None else retries
                errors = options.get("retry_exceptions")
                errors = method._retry_exceptions if errors is None else errors
                kwargs = {**(kwargs or {}), KEY: _carrier(retries or 0, errors)}
        result = remote(method, args, kwargs, *more, **options)
        if job is not None:
            job.send()
            fates.remember(result, job)
        return result

    return observed


def _prepare_class(metadata: Any) -> None:
    """Have an actor class exported, once more if need be, with methods that take a carrier."""
    token = _token()
    actor = metadata.modified_class  # Ray's own subclass of the user's
    mark = getattr(actor, _MARK, "")
    if mark == token or (mark and not _is_of_this_process(mark)):
        return
    with _lock:
        _restore_class(metadata)
        setup = _setup()
        methods = metadata.method_meta
        signatures = dict(methods.signatures)  # a new dictionary: handles of earlier actors keep theirs
        class_name = name_of(actor.__ray_actor_class__)
        for name, method in inspect.getmembers(actor, inspect.isfunction):
            if name.startswith("__") or name not in signatures:
                continue
            if isinstance(inspect.getattr_static(actor, name), (staticmethod, classmethod)):
                continue
            job_name = f"{class_name}.{name}"
            setattr(actor, name, _carrying(method, token, setup, job_name))
            signatures[name] = _with_key(signatures[name], job_name)
        methods.signatures = signatures
        setattr(actor, _MARK, token)
        metadata.last_export_cluster_and_job = None
        _classes.add(metadata)


def _restore_class(metadata: Any) -> None:
    actor = metadata.modified_class
    for name, method in list(vars(actor).items()):
        if hasattr(method, _MARK):
            delattr(actor, name)
    if _MARK in vars(actor):
        delattr(actor, _MARK)
        metadata.method_meta.signatures = {
            name: [each for each in signature if each.name != KEY]
            for name, signature in metadata.method_meta.signatures.items()
        }
        metadata.last_export_cluster_and_job = None


def restore() -> None:
    """Have functions and classes exported as they were."""
    with _lock:
        for function in list(_functions):
            with guard.shield("uninstrumenting ray"):
                _export_as(function, function._function.__wrapped__)
        for metadata in list(_classes):
            with guard.shield("uninstrumenting ray"):
                _restore_class(metadata)
        _functions.clear()
        _classes.clear()


# -- what travels ---------------------------------------------------------------------------


def _is_wanted() -> bool:
    hook: Any = sys.modules["ray._private.client_mode_hook"]
    return not hook.client_mode_should_convert() and not is_suppressed(context.get_current())


def _carrier(retries: int, errors: Any) -> tuple[Any, ...]:
    return headers_of(), time.time(), retries, errors


def _token() -> str:
    """Return what changes with this process's configuration. Cost: asked for each job."""
    telemetry: Any = sys.modules.get("otelkit.pipeline.telemetry")
    current = telemetry.current() if telemetry is not None else None
    return f"{os.getpid()}-{id(current)}"


def _setup() -> bytes:
    """Return this process's configuration for its workers."""
    return pickle.dumps(setup_of_this_process())


def _is_of_this_process(mark: str) -> bool:
    return mark.startswith(f"{os.getpid()}-")


def _with_key(signature: list[Parameter], job_name: str) -> list[Parameter]:
    """Return a signature with the carrier's parameter, before ``**kwargs``; annotated with the job's name."""
    key = Parameter(KEY, Parameter.KEYWORD_ONLY, default=None, annotation=job_name)
    last = [each for each in signature if each.kind is Parameter.VAR_KEYWORD]
    return [*(each for each in signature if each.kind is not Parameter.VAR_KEYWORD), key, *last]


def _carrying(function: Callable[..., Any], token: str, setup: bytes, name: str) -> Callable[..., Any]:
    """Return a function, of the same kind, that runs ``function`` as a job if it comes with a carrier."""
    make = _synchronous
    if inspect.isasyncgenfunction(function):
        make = _asynchronous_generator
    elif inspect.iscoroutinefunction(function):
        make = _asynchronous
    elif inspect.isgeneratorfunction(function):
        make = _generator
    carried = functools.wraps(function)(make(function, setup, name))
    setattr(carried, _MARK, token)
    signature = inspect.signature(function)
    parameters = _with_key(list(signature.parameters.values()), name)
    carried.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return carried


# These travel by value, since Ray's cloudpickle finds them nowhere: hence the import within.


def _synchronous(function: Any, setup: bytes, name: str) -> Any:
    def carried(*args: Any, _otelkit: Any = None, **kwargs: Any) -> Any:
        try:
            from otelkit_instrumentation.batch import _ray_worker as worker
        except ImportError:
            return function(*args, **kwargs)
        if _otelkit is None:
            return function(*args, **kwargs)
        return worker.call(worker.Work(name, _otelkit, setup), function, args, kwargs)

    return carried


def _asynchronous(function: Any, setup: bytes, name: str) -> Any:
    async def carried(*args: Any, _otelkit: Any = None, **kwargs: Any) -> Any:
        try:
            from otelkit_instrumentation.batch import _ray_worker as worker
        except ImportError:
            return await function(*args, **kwargs)
        if _otelkit is None:
            return await function(*args, **kwargs)
        return await worker.call_async(worker.Work(name, _otelkit, setup), function, args, kwargs)

    return carried


def _generator(function: Any, setup: bytes, name: str) -> Any:
    def carried(*args: Any, _otelkit: Any = None, **kwargs: Any) -> Any:
        try:
            from otelkit_instrumentation.batch import _ray_worker as worker
        except ImportError:
            return (yield from function(*args, **kwargs))
        if _otelkit is None:
            return (yield from function(*args, **kwargs))
        return (yield from worker.iterate(worker.Work(name, _otelkit, setup), function, args, kwargs))

    return carried


def _asynchronous_generator(function: Any, setup: bytes, name: str) -> Any:
    async def carried(*args: Any, _otelkit: Any = None, **kwargs: Any) -> Any:
        try:
            from otelkit_instrumentation.batch import _ray_worker as worker
        except ImportError:
            async for item in function(*args, **kwargs):
                yield item
            return
        if _otelkit is None:
            async for item in function(*args, **kwargs):
                yield item
            return
        async for item in worker.iterate_async(worker.Work(name, _otelkit, setup), function, args, kwargs):
            yield item

    return carried
