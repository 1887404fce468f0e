# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The demo's system as a whole: started in steps that can be shown, ended without a trace."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from .batch import Indexer
from .client import Customer
from .files import batches, installed_files
from .payments import Payments, Provider
from .server import ShopServer
from .shop import Shop

if TYPE_CHECKING:
    from .inference import Detector

CUSTOMERS = 6
REQUESTS_PER_S = 60.0
BATCH_FILES = 32
BATCH_PAUSE_S = 1.0
DETECTION_FILES = 12
DETECTION_PAUSE_S = 0.4


class System:
    """
    A shop with its customers and its payment provider, a batch over worker processes and a model at work.

    Args:
        fault_after_s: When the provider becomes slow, in seconds after the shop opened; None for never.
    """

    def __init__(self, fault_after_s: float | None = None) -> None:
        self._fault_after_s = fault_after_s
        self._stop = threading.Event()
        self._closing = ExitStack()
        self._loops: list[threading.Thread] = []

    def start(self) -> Iterator[str]:
        """Start everything, part by part; yield what comes next, before it is done."""
        yield "list the files of this Python"
        files = installed_files()
        yield "start the worker processes of the batch"
        indexer = Indexer()
        self._closing.callback(indexer.close)
        yield "load magika's model"
        # Here and not above: numpy, ONNX Runtime and the model take a second, which is to be seen.
        from .inference import Detector

        detector = Detector()
        yield f"warm {detector.model} up"
        detector.warm_up(files[:DETECTION_FILES])
        yield "open the shop"
        folder = self._closing.enter_context(TemporaryDirectory(prefix="otelkit-shop-"))
        provider = Provider(self._fault_after_s)
        self._closing.callback(provider.close)
        shop = Shop(Path(folder, "orders.sqlite"), Payments(provider.server_port))
        server = ShopServer(shop)
        self._closing.callback(server.close)
        self._run_loops(files, indexer, detector, server)

    def close(self) -> None:
        """Stop the load, let what runs finish, end all threads and processes; safe at any point of `start`."""
        self._stop.set()
        for loop in self._loops:
            loop.join()
        self._closing.close()

    def _run_loops(self, files: list[Path], indexer: Indexer, detector: Detector, server: ShopServer) -> None:
        to_index, to_detect = batches(files, BATCH_FILES), batches(files, DETECTION_FILES)
        self._loop("demo-batch", lambda: indexer.run(next(to_index)), lambda: BATCH_PAUSE_S)
        self._loop("demo-inference", lambda: detector.run(next(to_detect)), lambda: DETECTION_PAUSE_S)
        self._loop("demo-housekeeping", server.shop.delete_old_orders, lambda: 2.0)
        for number in range(CUSTOMERS):
            customer = Customer(server.server_port, seed=number)
            # Closed before the server, whose connection threads end when their customer hangs up.
            self._closing.callback(customer.close)
            pause = random.Random(number).expovariate
            self._loop(f"demo-customer-{number}", customer.visit, lambda pause=pause: pause(REQUESTS_PER_S / CUSTOMERS))

    def _loop(self, name: str, step: Callable[[], object], pause_s: Callable[[], float]) -> None:
        def run() -> None:
            while not self._stop.wait(pause_s()):
                # A failure is counted by the decorators and so is on the screen; the load goes on.
                with suppress(Exception):
                    step()

        thread = threading.Thread(target=run, name=name)
        self._loops.append(thread)
        thread.start()
