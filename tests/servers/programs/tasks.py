# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A Celery application; ``python tasks.py 40`` has 40 pieces of work done and waits for them."""

from __future__ import annotations

import os
import sys

import celery

app = celery.Celery("tasks", broker=os.environ["BROKER"], backend=os.environ["BROKER"])
app.conf.update(broker_connection_retry_on_startup=True, worker_hijack_root_logger=False)

if __name__ != "__main__":
    from recording import record


@app.task(name="tasks.work")
def work() -> None:
    """Do one piece of work."""
    record()


if __name__ == "__main__":
    celery.group(work.s() for _ in range(int(sys.argv[1]))).apply_async().get(timeout=100)
