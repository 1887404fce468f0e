# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The demo's shop with its payment provider, in a process of its own: prints its port, and True for each flush."""

import sys
import tempfile
from pathlib import Path

from demo_system.payments import Payments, Provider
from demo_system.server import ShopServer
from demo_system.shop import Shop

import otelkit


def main() -> None:
    """Serve until the input ends."""
    otelkit.configure()
    provider = Provider(None)
    with tempfile.TemporaryDirectory() as folder:
        server = ShopServer(Shop(Path(folder, "orders.sqlite"), Payments(provider.server_port)))
        print(server.server_port, flush=True)
        for _ in sys.stdin:
            print(otelkit.flush(timeout_s=30), flush=True)
        server.close()
    provider.close()


if __name__ == "__main__":
    main()
