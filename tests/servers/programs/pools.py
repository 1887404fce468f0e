# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""``python pools.py Pool spawn 1 12``: 12 pieces of work in a pool of spawned processes, a new one after each piece."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from recording import record


def run(kind: str, context: Any, tasks: int | None, work: int) -> None:
    """Have ``work`` done by processes of ``kind``; a process ends after ``tasks`` pieces."""
    if kind == "Pool":
        with context.Pool(3, maxtasksperchild=tasks) as pool:
            pool.map(record, range(work), chunksize=1)
            pool.close()
            pool.join()
    elif kind == "ProcessPoolExecutor":
        with ProcessPoolExecutor(3, mp_context=context, max_tasks_per_child=tasks) as executor:
            list(executor.map(record, range(work)))
    else:
        children = [context.Process(target=record) for _ in range(work)]
        for child in children:
            child.start()
        for child in children:
            child.join()


def fork(work: int) -> None:
    """Do ``work`` in forked children that end as a program does."""
    for _ in range(work):
        child = os.fork()
        if not child:
            record()
            return
        os.waitpid(child, 0)


if __name__ == "__main__":
    kind, method, tasks, work = sys.argv[1], sys.argv[2], int(sys.argv[3]) or None, int(sys.argv[4])
    if kind == "os.fork":
        fork(work)
    elif kind == "subprocess":
        for _ in range(work):
            subprocess.run([sys.executable, __file__, "here", method, "0", "1"], check=True)
    elif kind == "here":
        record()
    else:
        run(kind, multiprocessing.get_context(method), tasks, work)
