# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The viewer's REST API: one endpoint per thing that a page draws, from one definition in `endpoints`."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING

from otelkit._core._guard import guard
from otelkit.viewer.analysis.usual import SCALES
from otelkit.viewer.api.about import About
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.history import History
from otelkit.viewer.api.judge import Judge
from otelkit.viewer.api.reader import Reader
from otelkit.viewer.api.signals import of_calls, of_models

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from otelkit.viewer.store import Reading

__all__ = ("About", "Api", "routes")

REFRESH_S = 1.0
CLOSING_S = 3.0
"""A large store takes longer to look through; the thread ends when the store is closed under it."""


class Api:
    """
    The API over a store. Works out the history in a thread of its own until it is closed.

    Args:
        store: What is shown.
        about: What the server knows about itself.
    """

    def __init__(self, store: Reading, about: About | None = None) -> None:
        reader = Reader(store)
        once = Reader(store, keeps=0)
        longest = SCALES[0]
        self.histories = tuple(History(once, (of_calls, of_models), *scale, ends=scale != longest) for scale in SCALES)
        self.context = Context(reader, Judge(self.histories), about or About())
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="otelkit-viewer-history", daemon=True)
        self._thread.start()

    def routes(self) -> list[BaseRoute]:
        """Return the routes, with their whole paths."""
        from otelkit.viewer.api.routing import create

        return create(self.context)

    def close(self) -> None:
        """End the thread; to be called before the store is closed. Waits a few seconds at most."""
        self._ended.set()
        self._thread.join(CLOSING_S)

    def _warm(self) -> None:
        """Ask what the first page asks: with 10,000 series stored the first answer takes a second."""
        from otelkit.viewer.api.endpoints import ENDPOINTS
        from otelkit.viewer.api.routing import respond

        for endpoint in ENDPOINTS:
            if endpoint.name in ("overview", "frame"):
                respond(self.context, endpoint, [], None)

    def _follow(self) -> None:
        warm = False
        while not self._ended.wait(REFRESH_S):
            try:
                if not warm and not self.context.is_empty:
                    self._warm()
                    warm = True
                for history in self.histories:
                    history.refresh(self.context.reader.clock())
            except sqlite3.ProgrammingError:  # the store was closed before this was
                return
            except Exception as error:
                guard.failed("viewer history", error)


def routes(store: Reading, about: About | None = None) -> list[BaseRoute]:
    """Return the routes over a store, with their whole paths."""
    return Api(store, about).routes()
