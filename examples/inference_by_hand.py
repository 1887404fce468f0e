# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""An inference marked by hand: phases, a cache, and one that fails; no engine is needed."""

import csv
import math
import tempfile
from pathlib import Path

import otelkit

CACHE: dict[str, list[float]] = {}

SHOWN = [
    f"inference.{name}" for name in ("requests", "errors", "items", "phase.duration", "cache.hits", "cache.misses")
]
LEFT_OUT = ("inference.engine", "inference.operation")  # custom and predict, for all of them here


def features(text: str) -> list[float]:
    return [len(text), text.count("a"), text.count(" ")]


@otelkit.inference("sentiment", batch_size=len)
def sentiment(texts: list[str]) -> list[float]:
    return [math.tanh(text.count("good") - text.count("bad")) for text in texts]


def rank(texts: list[str]) -> list[float]:
    with otelkit.inference("ranker", batch_size=len(texts)) as step:
        with step.phase("preprocess"):
            hits = sum(text in CACHE for text in texts)
            rows = [CACHE.setdefault(text, features(text)) for text in texts]
            step.cache(hits=hits, misses=len(texts) - hits)
            step.fill(len(texts), 8)  # of the places that the model computes anyway
        with step.phase("compute"):
            return [row[0] / row[2] for row in rows]


if __name__ == "__main__":
    folder = tempfile.mkdtemp(prefix="otelkit-example-")
    otelkit.configure(
        service_name="ranking", metrics_exporters=["csv"], traces_exporters=["none"], machine=[], data_folder=folder
    )
    for batch in (["a good day", "a bad idea"], ["a good day"], ["a good day", "not too bad", "rather good"]):
        rank(batch)
        sentiment(batch)
    try:
        rank(["nothing"])
    except ZeroDivisionError as error:
        print(f"failed: {error}")
    otelkit.shutdown()
    rows = csv.DictReader(Path(folder, "metrics.csv").read_text().splitlines())
    for row in sorted(rows, key=lambda row: (row["metric"], row["labels"])):
        if row["metric"] in SHOWN and row["field"] in ("value", "count"):
            labels = [label for label in row["labels"].split(";") if not label.startswith(LEFT_OUT)]
            print(row["metric"], *labels, round(float(row["value"])))
