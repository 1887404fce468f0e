# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The dashboard inside of a program: ``otelkit.configure(dashboard=True)``.

One a process. A second configuration keeps it, if it says the same; a forked child does not serve. Where another
process of the same service serves already (a server's workers, a batch's), this one sends to it.
"""

from __future__ import annotations

import html
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from otelkit._core._fork import forks

if TYPE_CHECKING:
    from otelkit.config import Settings
    from otelkit.viewer.server import Dashboard, Options

__all__ = ("Frame", "current", "ensure", "stop")

_lock = threading.RLock()
_dashboard: Dashboard | None = None
_elsewhere = ""


def ensure(settings: Settings) -> str:
    """
    Serve, if nobody does.

    Returns:
        Address to send OTLP to.

    Errors: ConfigurationError for a port that is taken, a folder that cannot be used, or the missing extra.
    """
    from otelkit.viewer.extra import require_extra

    global _elsewhere
    require_extra()
    from otelkit.viewer.place import options_of

    options = options_of(settings, embedded=True)
    with _lock:
        if _dashboard is not None and _dashboard.options == options:
            return _dashboard.base_url
        if forks.forked and _elsewhere:
            return _elsewhere
        stop()
        url = _serving_already(options)
        _elsewhere = url or _serve(options)
        return _elsewhere


def _serve(options: Options) -> str:
    global _dashboard
    from otelkit.viewer.server import Dashboard

    dashboard = Dashboard(options)
    dashboard.start()
    _dashboard = dashboard
    announce(dashboard)
    return dashboard.base_url


def _serving_already(options: Options) -> str:
    from otelkit.viewer.store.holding import holder_of

    return holder_of(options.folder)


def current() -> Dashboard | None:
    """Return the dashboard that this process serves, or None."""
    return _dashboard


def stop() -> None:
    """Stop serving."""
    global _dashboard
    with _lock:
        dashboard, _dashboard = _dashboard, None
    if dashboard is not None:
        dashboard.close()


class Frame:
    """The dashboard as a notebook's output."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __repr__(self) -> str:
        return f"otelkit's dashboard: {self._url}"

    def _repr_html_(self) -> str:
        address = html.escape(self._url, quote=True)
        return (
            f'<iframe src="{address}" width="100%" height="720" style="border:0" title="otelkit"></iframe>'
            f'<a href="{address}" target="_blank" rel="noreferrer">Open it in a tab</a>'
        )


def _show(dashboard: Dashboard) -> None:
    """Say where it is: in a notebook as a frame, elsewhere as a line on stderr."""
    shell = sys.modules.get("IPython")
    instance = shell.get_ipython() if shell is not None else None
    if instance is not None and hasattr(instance, "kernel"):
        from IPython.display import display  # pyright: ignore[reportMissingImports]

        # Under the name that notebooks are opened by: to a frame of another site the browser gives no cookie.
        display(Frame(dashboard.url.replace("//127.0.0.1:", "//localhost:")))
    else:
        print(f"otelkit's dashboard: {dashboard.url}", file=sys.stderr, flush=True)


announce: Callable[[Dashboard], None] = _show
"""Called when this process begins to serve; whoever has a screen of its own puts another one here."""


def _in_child() -> None:
    """Forget the parent's: its threads are not here, and its port and folder are its own."""
    global _dashboard, _lock
    _lock = threading.RLock()
    dashboard, _dashboard = _dashboard, None
    if dashboard is not None:
        dashboard.abandon()


forks.in_child(_in_child)
