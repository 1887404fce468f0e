# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""scikit-learn, instrumented by name: a grid search and its predictions, one call each."""

from collections import Counter

from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import otelkit
from otelkit.instruments.registry import default_registry

if __name__ == "__main__":
    otelkit.configure(service_name="digits", metrics_exporters=["none"], traces_exporters=["none"], machine=[])
    otelkit.instrument("sklearn")
    train, test, labels, expected = train_test_split(*load_digits(return_X_y=True), random_state=0)
    search = GridSearchCV(make_pipeline(StandardScaler(), SVC()), {"svc__C": [0.1, 1, 10]}, cv=3, n_jobs=2)
    search.fit(train, labels)
    for start in range(0, len(test), 50):
        search.predict(test[start : start + 50])
    print(f"accuracy {search.score(test, expected):.2f}")
    found: Counter[str] = Counter()
    for metric, points in default_registry.snapshot():
        for point in points if metric.name in ("inference.requests", "inference.items") else ():
            what = f"{metric.name} {point.attributes['inference.model']} {point.attributes['inference.operation']}"
            found[what] += int(point.value)
    for what, number in sorted(found.items()):
        print(what, number)
