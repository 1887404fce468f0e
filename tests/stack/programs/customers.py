# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The demo's customers, in a process of their own, against the shop at the port that is the argument.

``visit 10`` makes ten requests and answers how many were made in all; ``flush`` answers whether all was delivered.
"""

import sys

from demo_system.client import Customer

import otelkit


def main() -> None:
    """Visit as often as told, one after the other."""
    otelkit.configure()
    customer = Customer(int(sys.argv[1]), seed=1)
    made = 0
    print("ready", flush=True)
    for line in sys.stdin:
        command, _, number = line.strip().partition(" ")
        if command == "flush":
            print(otelkit.flush(timeout_s=30), flush=True)
            continue
        for _ in range(int(number)):
            customer.visit()
            made += 1
        print(made, flush=True)
    customer.close()


if __name__ == "__main__":
    main()
