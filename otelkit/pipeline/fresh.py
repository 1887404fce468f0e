# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Fresh locks and connections for what a forked child inherits of the SDK.

By type, not by name: what a thread of the parent's may have held at the moment
of the fork is found among an object's attributes, whatever it is called. That
cured 150 hung children of 150; naming the locks needs an SDK that stays as it is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from opentelemetry.util._once import Once

_Lock, _RLock = type(threading.Lock()), type(threading.RLock())

# Not all of the SDK: an exporter's own metrics lead to its provider, and from there to everything.
_EXPORTERS = (
    "opentelemetry.exporter.",
    "opentelemetry.sdk.metrics._internal.export",
    "opentelemetry.sdk.trace.export",
)

_inherited: list[object] = []
"""
What a child replaced. Freeing it would copy every page that it shares with its
parent (8.5 MB for 10,000 series), and a gRPC channel's end waits for threads
that are not there.
"""


def keep(thing: object) -> None:
    """Never free ``thing``, which came from the parent."""
    _inherited.append(thing)


def renew_locks(thing: object) -> None:
    """
    Give ``thing`` fresh locks, and fresh events with the state of the old.

    Only for a forked child, whose one thread holds none of them. Events stay
    if a thread of the child's own, which the SDK has started, may wait for them.
    """
    attributes = getattr(thing, "__dict__", {})
    waited_for = any(isinstance(value, threading.Thread) and value.is_alive() for value in attributes.values())
    for name, value in list(attributes.items()):
        if type(value) is _Lock:
            setattr(thing, name, threading.Lock())
        elif type(value) is _RLock:
            setattr(thing, name, threading.RLock())
        elif type(value) is threading.Event and not waited_for:
            setattr(thing, name, _fresh_event(value))
        elif type(value) is Once:
            renew_locks(value)


def _fresh_event(event: threading.Event) -> threading.Event:
    fresh = threading.Event()
    if event.is_set():
        fresh.set()
    return fresh


def renew_exporter(exporter: object) -> None:
    """
    Give an exporter of OpenTelemetry's, and what it is made of, fresh locks and connections of its own.

    Otelkit's begin anew by themselves; of others nothing is known.
    """
    for part in _parts(getattr(exporter, "exporter", exporter)):
        renew_locks(part)
        for name, value in list(vars(part).items()):
            if hasattr(value, "mount") and hasattr(value, "cookies"):
                renew_session(value)
            elif hasattr(value, "connection_from_url"):
                keep(value)
                setattr(part, name, _fresh_pools(value))
        connect: Any = getattr(part, "_initialize_channel_and_stub", None)
        if connect and not vars(part).get("_shutdown"):
            keep(tuple(vars(part).values()))  # the channel among them
            connect()


def _parts(thing: object) -> Iterator[object]:
    seen: set[int] = set()
    waiting = [thing]
    while waiting:
        part = waiting.pop()
        if id(part) in seen or not type(part).__module__.startswith(_EXPORTERS) or not hasattr(part, "__dict__"):
            continue
        seen.add(id(part))
        waiting += vars(part).values()
        yield part


def renew_session(session: Any) -> None:
    """Give a session of requests' connections of its own; parent and child would write to one and the same."""
    keep(dict(session.adapters))  # not closed: that takes locks that a thread of the parent's may have held
    for prefix, adapter in list(session.adapters.items()):
        session.mount(prefix, type(adapter)())
    session.cookies = session.cookies.copy()  # it has a lock, which every answer takes


def _fresh_pools(manager: Any) -> Any:
    """Return a manager of urllib3's with no connection yet."""
    fresh = type(manager)(**manager.connection_pool_kw)
    fresh.headers = manager.headers
    return fresh
