# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
A handler of SIGTERM that runs although the main thread waits for a lock.

Python runs handlers in the main thread, which a signal takes out of a wait,
unless it is woken at the same moment for another reason: then it goes on
waiting, and the handler does not run. ``Pool.terminate`` makes just that
happen: it takes the lock that idle workers wait for, sends them SIGTERM, and
waits for them (one in ten of joblib's pools hung on a busy machine). Here a
thread hears of the signal, too, and sends it again until the handler has run.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

from otelkit._core._fork import forks
from otelkit._core._guard import guard

_PAUSE_S = 0.1


class Insistence:
    """
    Sees to it that SIGTERM is handled.

    Args:
        handler: What is to run; it takes its own place away first of all.
    """

    def __init__(self, handler: Callable[..., object]) -> None:
        self._handler = handler
        self._writer = -1
        forks.in_child(self.stop)

    def start(self) -> None:
        """Begin; in the main thread only. Does nothing where the program itself (asyncio, say) listens to signals."""
        if self._writer != -1 or threading.current_thread() is not threading.main_thread():
            return
        with guard.shield("SIGTERM"):
            reader, writer = os.pipe()
            os.set_blocking(writer, False)
            known = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
            if known != -1:
                signal.set_wakeup_fd(known)
                os.close(reader)
                os.close(writer)
                return
            self._writer = writer
            threading.Thread(target=self._insist, args=(reader,), name="otelkit SIGTERM", daemon=True).start()

    def stop(self) -> None:
        """Listen no more, as a forked child must: the pipe is its parent's."""
        writer, self._writer = self._writer, -1
        if writer == -1:
            return
        known = signal.set_wakeup_fd(-1)
        if known not in (writer, -1):
            signal.set_wakeup_fd(known)
        os.close(writer)

    def _insist(self, reader: int) -> None:
        main = threading.main_thread()
        while True:
            heard = os.read(reader, 64)
            if not heard:
                return
            while int(signal.SIGTERM) in heard:
                time.sleep(_PAUSE_S)
                if signal.getsignal(signal.SIGTERM) != self._handler or main.ident is None:
                    break
                signal.pthread_kill(main.ident, signal.SIGTERM)
