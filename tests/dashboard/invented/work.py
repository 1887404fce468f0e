# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501, RUF001 - tables of data, in the typography of the pages
"""Models and jobs: a loader that is too slow, a worker that swaps."""

from __future__ import annotations

import math
from typing import Any

from dashboard.invented.machines import GPUS
from dashboard.invented.shared import COUNT, FINDINGS, NOW, TRACE, chance, line, quantile, rise, say, shown, usual, wave

from otelkit.viewer.api.shapes import batch, finding, heatmap, inference


def _phases(*means: float, lines: bool = False) -> list[inference.Phase]:
    names = [
        ("wait", "wait"),
        ("preprocess", "host"),
        ("transfer", "transfer"),
        ("compute", "device"),
        ("postprocess", "host"),
    ]
    chosen = [(name, where, mean) for (name, where), mean in zip(names, means, strict=True) if mean]
    whole = sum(means)
    return [
        inference.Phase(phase=name, where=where, mean=mean / 1e3, share=mean / whole,  # type: ignore[arg-type]
                        line=line(name, wave(mean / 1e3), "s") if lines else None)
        for name, where, mean in chosen
    ]  # fmt: skip


def _model(model: str, items: float, p95: float, phases: Any, status: Any = "ok") -> inference.ModelRow:
    return inference.ModelRow(
        key=f"torch:{model}", model=model, engine="torch", status=status, requests=68_100, errors=0, phases=phases,
        items=line("items", wave(items), "/s"), items_per_s=items, usual_items_per_s=usual(items, items * 1.06),
        mean=0.0276, p95=quantile(p95),
        verdict=say("*The loader is the limit, not the GPUs.* A batch waits 8.3 of its 27.6 ms for data, and 39 % of the host’s CPU is free."),
    )  # fmt: skip


MODELS = [
    _model("MiniLM-L6", 2318, 0.0341, _phases(8.3, 0, 2.2, 17.1, 0)),
    _model("bge-reranker", 861, 0.0194, _phases(2, 0, 0.6, 12, 0)),
    _model("magika", 204, 0.0712, _phases(30, 0, 0, 36, 0)),
]


def _job(name: str, engine: str, counts: tuple[int, int, int, int, int], waited: float | None, ran: float,
         status: Any = "ok", workers: int = 6) -> batch.JobRow:  # fmt: skip
    done, failed, running, pending, retries = counts
    return batch.JobRow(
        key=name, name=name, engine=engine, kind="job" if engine == "@job" else "batch", status=status, done=done,
        failed=failed, cancelled=0, retries=retries, running=running, pending=pending,
        total=done + failed + running + pending, waited=quantile(waited) if waited else None, ran=quantile(ran),
        workers=workers, last_success=NOW - 720 if engine == "@job" else None,
    )  # fmt: skip


JOBS = [
    _job("score-nightly", "joblib, loky", (417, 0, 6, 217, 2), 3.1, 12.4, "warn"),
    _job("thumbnails", "Celery", (1904, 3, 8, 37, 11), 0.42, 0.31),
    _job("embed-corpus", "ProcessPool", (88, 0, 4, 12, 0), 38.2, 41.0),
    _job("reindex", "Dask", (212, 0, 0, 0, 0), 0.9, 6.2),
    _job("cleanup_job", "@job", (3, 0, 0, 0, 0), None, 1.9),
]


def model() -> inference.Model:
    """Return MiniLM's page."""
    lanes = []
    for name, kinds in (
        ("loader", [("wait", 11.5, "wait", 0.3)]),
        ("host", [("preprocess", 2, "host", 6), ("postprocess", 1, "host", 6)]),
        ("GPU 0", [("transfer", 2, "transfer", 0.5), ("compute", 13, "device", 12)]),
        ("GPU 1", [("transfer", 2, "transfer", 0.5), ("compute", 15, "device", 11)]),
    ):
        at, blocks = chance.random() * 3, []
        while at < 235:
            for kind, length, where, gap in kinds:
                blocks.append(inference.Block(start=at / 1e3, end=(at + length) / 1e3, kind=kind, where=where))  # type: ignore[arg-type]
                at += length + gap
        lanes.append(
            inference.WorkLane(
                name=name, busy={"loader": 1, "host": 0.25, "GPU 0": 0.62, "GPU 1": 0.69}[name], blocks=blocks
            )
        )
    sizes = heatmap.Histogram(
        edges=[2, 6, 10, 14, 18, 22, 26, 30, 34],
        counts=[480, 120, 90, 200, 400, 1600, 3950, 59_250],
        unit="{item}",
        total=66_090,
    )
    row = MODELS[0]
    return inference.Model(
        range=shown(), row=row, headline=finding.Headline(text="torch on 2 GPUs · embed.py", note="", state="usual"), findings=FINDINGS[2:], programs=["embed.py"],
        throughput=[line("all", rise(600, 2318, -0.02, 0.08), "/s", total=True, usual=usual(2360, 2560)), line("GPU 0", rise(300, 1226, -0.02, 0.08), "/s"), line("GPU 1", rise(300, 1092, -0.02, 0.08), "/s", status="warn")],
        phases=_phases(8.3, 2.1, 2.2, 13.4, 1.6, lines=True), latency=None, p50=None, warmup=[(NOW - 900, NOW - 850)],
        lanes=inference.WorkLanes(start=NOW - 20, duration=0.24, lanes=lanes, sentence=say("*loader* is always busy; a gap on a GPU is waiting")),
        batch_size=inference.BatchSize(histogram=sizes, mean=31, largest=32, full_share=0.87, padding=0.11), gpus=GPUS, generation=None, energy=4.1, cache_hits=None, absent=[],
    )  # fmt: skip


def job() -> batch.Job:
    """Return score-nightly's page."""
    lanes = []
    for worker in range(1, 7):
        at, blocks, gaps = NOW - 900, [], []
        while at < NOW:
            slow = worker == 5 and at > NOW - 330
            if worker == 4 and not gaps and at > NOW - 570:
                gaps.append(batch.Gap(start=at, end=at + 46, label="recycled, 46 s lost"))
                at += 46
            length = chance.uniform(70, 81) if slow else chance.uniform(10, 15)
            blocks.append(
                batch.JobBlock(
                    start=at,
                    end=min(NOW, at + length),
                    failed=False,
                    retry=worker in (2, 6) and len(blocks) == 12 * worker % 31,
                    straggler=slow,
                    count=1,
                    trace_id=TRACE,
                    span_id=None,
                )
            )
            at += length + 1
        lanes.append(
            batch.WorkerLane(
                name=f"worker {worker}", status="warn" if worker == 5 else "ok", busy=0.9, blocks=blocks, gaps=gaps
            )
        )
    edges: list[float | None] = [6 * 1.08**i for i in range(38)]
    counts = [int(90 * math.exp(-((math.log((e or 1) / 12.4) / 0.17) ** 2))) for e in edges[:-1]]
    histogram = heatmap.Histogram(edges=edges, counts=counts, unit="s", total=417)
    left = [640 - 423 * i / COUNT for i in range(COUNT)]
    return batch.Job(
        range=shown(), row=JOBS[0], headline=finding.Headline(text="score-nightly will end 6 min late; worker 5 is slow since 14:41", note="", state="findings"), findings=FINDINGS[1:2],
        lanes=lanes, lanes_note="one block is one job; × was retried; the gap is idle time",
        run_time=batch.RunTime(histogram=histogram, p50=quantile(12.4), threshold=37.2, straggler_count=4, stragglers=[batch.Straggler(time=NOW - 100 * i, duration=70 + 3 * i, worker="worker 5", trace_id=TRACE, span_id="00000000000000cc") for i in range(1, 5)]),
        pending=batch.Pending(line=line("pending", left, "{job}"), left=223, fitted=[(NOW - 300, 360), (NOW, 223)], ends=NOW + 700, usual_ends=NOW + 340),
        wait_run=[line("slowest run", rise(17, 81, 0.66), "s", status="warn"), line("run p50", wave(12.4, 0.02), "s"), line("wait p50", wave(3.1, 0.03), "s")], error_types={},
    )  # fmt: skip
