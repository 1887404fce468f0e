# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""joblib, instrumented by name: a batch of one's own, and the one that scikit-learn makes of a grid search."""

import csv
import tempfile
from pathlib import Path

from joblib import Parallel, delayed
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

import otelkit


def cube(number):
    return number**3


if __name__ == "__main__":
    folder = tempfile.mkdtemp(prefix="otelkit-example-")
    otelkit.configure(
        service_name="search", metrics_exporters=["csv"], traces_exporters=["none"], machine=[], data_folder=folder
    )
    otelkit.instrument("joblib")
    print(sum(Parallel(n_jobs=2)(delayed(cube)(number) for number in range(100))))
    GridSearchCV(SVC(), {"C": [1, 10]}, n_jobs=2, cv=3).fit(*load_iris(return_X_y=True))
    otelkit.shutdown()
    last = {}
    for row in csv.DictReader(Path(folder, "metrics.csv").read_text().splitlines()):
        if row["metric"] in ("batch.created", "job.status"):
            last[row["metric"], row["labels"]] = int(float(row["value"]))
    for (metric, labels), number in sorted(last.items()):
        print(metric, labels, number)
