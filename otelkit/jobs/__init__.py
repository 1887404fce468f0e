# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Batches and jobs of any engine, in one vocabulary.

What an instrumentor of an engine does, wherever the engine gives it a hook::

    from otelkit.jobs import Engine, headers_of, parent_of, setup_of_this_process, start_span

    engine = Engine("celery")                      # value of batch.engine; one object per name and process

    # in the process that submits
    engine.batch(len(items))                       # batch.created, batch.size: map, group, Parallel, compute ...
    job = engine.job("shop.tasks.charge")          # or engine.job_of(function); names of low cardinality, never ids
    job.submit()                                   # job.status{submitted}, job.pending + 1
    headers = headers_of()                         # small dict of W3C headers, for the payload; {} outside of a trace
    setup = setup_of_this_process()                # for workers that are not forked; None if nothing is configured
    job.leave()                                    # job.pending - 1: it started or ended, as the submitter learns
    job.send()                                     # the same, to a broker: nobody here will know when it starts
    job.receive()                                  # came through a broker: job.pending + 1 in the worker
    job.cancel()                                   # taken back before it ran: job.status{cancelled}, job.pending - 1
    job.lose("WorkerLostError")                    # failed and no worker can tell: job.errors, job.status{failed}
    engine.watch_workers(pool, lambda pool: len(pool.processes))   # batch.workers, while `pool` lives

    # in the worker
    setup.apply()                                  # once; a process that is configured already stays as it is
    span = start_span(job.name, job.attributes, parent_of(headers))     # current until it ends
    with job.start(queued_s=time.time() - submitted_at, span=span):     # job.queue_time, status{running}, job.active
        function()                                 # and on its end job.duration, status{completed} or {failed}, ...

    # a chunk: one span, one count for each call
    with start_span(job.name, {**job.attributes, CHUNK_SIZE: len(items)}, parent_of(headers)):
        results = [job.call(function, item) for item in items]

Where an engine tells of the end by callbacks, keep what ``job.start()``
returns and call one of ``succeed()``, ``fail(error)``, ``fail_as("TimeLimitExceeded")``,
``retry(error)``, ``cancel()`` on it; it ends the span too.

- Who records what: the process that runs a job records running, completed,
  failed, retried, its duration and queue time. The process that submitted it
  records submitted, cancelled, pending, and what is lost with a worker. Nothing
  is to be counted by both.
- A time limit is a failure, with the engine's error type; there is no status
  of its own.
- Forked workers begin from zero with the parent's configuration. Ends of
  multiprocessing's and Celery's children deliver by themselves
  (`otelkit.pipeline.ending`); before ``os._exit`` call `flush_worker`.
- Nothing here raises into the program, or blocks, `flush_worker` excepted.
- Whoever submits inside OpenTelemetry's ``suppress_instrumentation()`` wants
  nothing recorded: ask `is_suppressed(context.get_current())`.
"""

from __future__ import annotations

from otelkit.jobs.engine import Engine, Job, Run
from otelkit.jobs.span import JobSpan, headers_of, is_suppressed, parent_of, start_span
from otelkit.jobs.worker import Setup, flush_worker, setup_of_this_process

__all__ = (
    "Engine",
    "Job",
    "JobSpan",
    "Run",
    "Setup",
    "flush_worker",
    "headers_of",
    "is_suppressed",
    "parent_of",
    "setup_of_this_process",
    "start_span",
)
