# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The ends of a process, and how what is left is delivered at each.

- The interpreter's: atexit.
- A child of multiprocessing's: it leaves by ``os._exit``, past atexit, but runs its finalizers.
- A pool process of Celery's: it leaves by ``os._exit`` past those too, and says so by a signal of Celery's.
- uvicorn's after SIGTERM: it puts the default action back and raises the signal again.
- SIGTERM where nobody handles it: it ends a program on the spot.

There is none in ``os._exit`` called directly, SIGKILL, or a crash: call `otelkit.flush` before the first.
"""

from __future__ import annotations

import _thread
import asyncio
import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from otelkit._core._fork import forks
from otelkit._core._guard import guard
from otelkit.pipeline.insistence import Insistence

# After all of the program's finalizers: what they record is delivered too.
_LAST = -1_000


class Ending:
    """
    The ends of this process and of its forked children.

    Args:
        deliver: Delivers all there is, within the time set for it, and may be called again; nothing comes after.
        flush: The same, with a program that may go on.
    """

    def __init__(self, deliver: Callable[[], object], flush: Callable[[], object]) -> None:
        self._deliver = deliver
        self._flush = flush
        self._terminated = False
        self._known: set[str] = set()
        self._insistence = Insistence(self._on_sigterm)
        atexit.register(self._at_exit)
        forks.in_child(self._in_child)

    def watch(self, *, sigterm: bool) -> None:
        """Look for the ends that this process can have; once more after each configuration, wherever that is."""
        self._watch_pools()
        if sigterm and threading.current_thread() is threading.main_thread():
            self._watch_sigterm()
        with guard.shield("multiprocessing"):
            process = sys.modules.get("multiprocessing.process")
            if process and process.parent_process() is not None:
                self._finalize()

    def _at_exit(self) -> None:
        self._deliver()
        if self._terminated:
            os.kill(os.getpid(), signal.SIGTERM)  # the exit status of a program that nobody made handle the signal

    def _in_child(self) -> None:
        self._terminated = False
        self._watch_pools()

    # -- pools --------------------------------------------------------------------

    def _watch_pools(self) -> None:
        # By what the program has loaded; in a child once more: it may be what loaded it.
        with guard.shield("multiprocessing"):
            util = self._new("multiprocessing.util")
            if util:
                # A child forgets all finalizers when it begins, and then calls this.
                util.register_after_fork(self, Ending._finalize)
        with guard.shield("celery"):
            celery = self._new("celery.signals")
            if celery:
                celery.worker_process_shutdown.connect(self._at_celery_shutdown, weak=False)

    def _new(self, module: str) -> Any:
        if module in self._known or module not in sys.modules:
            return None
        self._known.add(module)
        return sys.modules[module]

    def _finalize(self) -> None:
        sys.modules["multiprocessing.util"].Finalize(None, self._deliver, exitpriority=_LAST)
        if signal.getsignal(signal.SIGTERM) == self._on_sigterm:
            self._insistence.start()

    def _at_celery_shutdown(self, **_: object) -> None:
        self._deliver()

    # -- SIGTERM ------------------------------------------------------------------

    def _watch_sigterm(self) -> None:
        with guard.shield("SIGTERM"):
            handler: Any = signal.getsignal(signal.SIGTERM)
            if handler is signal.SIG_DFL:
                signal.signal(signal.SIGTERM, self._on_sigterm)
                _hold_sigterm_across_forks()
            elif type(getattr(handler, "__self__", None)).__module__ == "uvicorn.server":
                _flush_after_shutdown(handler.__self__, self._flush)

    def _on_sigterm(self, *_: object) -> None:
        # In a thread, and the program goes on meanwhile: a frame that was interrupted here may hold a lock that the
        # delivery needs. A second signal ends the program at once.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._terminated = True
        try:
            _thread.start_new_thread(self._at_exit, ())
        except RuntimeError:
            self._at_exit()


_held = threading.local()
_holding = False


def _hold_sigterm_across_forks() -> None:
    """
    Have a child get what is sent to it while it begins.

    Python forgets signals that come before it has set a child up, and handlers are not run for them: without a handler
    the child would have ended. A pool that is terminated as soon as it is made would wait for such a child for ever.
    """
    global _holding
    if _holding or not hasattr(os, "register_at_fork"):
        return
    _holding = True

    def hold() -> None:
        _held.mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM,))

    def release() -> None:
        mask = getattr(_held, "mask", None)
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    os.register_at_fork(before=hold, after_in_parent=release, after_in_child=release)


def _flush_after_shutdown(server: Any, flush: Callable[[], object]) -> None:
    """Have a uvicorn server flush after its last request; it is about to end by a signal's default action."""
    shutdown = server.shutdown

    async def shutdown_and_flush(*args: Any, **kwargs: Any) -> None:
        try:
            await shutdown(*args, **kwargs)
        finally:
            await asyncio.to_thread(flush)

    server.shutdown = shutdown_and_flush
