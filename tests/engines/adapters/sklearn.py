# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""scikit-learn, on its own digits."""

from __future__ import annotations

from typing import Any

from engines.adapters.adapter import Adapter


class SklearnAdapter(Adapter):
    """A support vector machine, and a pipeline in a grid search."""

    name = engine = "sklearn"
    model = "SVC"
    operation = "predict"

    def __init__(self) -> None:
        from sklearn.datasets import load_digits
        from sklearn.svm import SVC

        self.data, self.targets = load_digits(return_X_y=True)
        self.machine = SVC().fit(self.data[:300], self.targets[:300])

    def call(self, rows: int) -> Any:
        return self.machine.predict(self.data[:rows])

    def fail(self) -> None:
        self.machine.predict(self.data[:3, :5])

    def nested(self, rows: int) -> dict[str, str]:
        from sklearn.model_selection import GridSearchCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        search = GridSearchCV(make_pipeline(StandardScaler(), SVC()), {"svc__C": [1, 10]}, cv=2)
        search.fit(self.data[:rows], self.targets[:rows])
        return {"inference.model": "GridSearchCV[Pipeline[SVC]]", "inference.operation": "fit"}

    def originals(self) -> list[Any]:
        from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
        from sklearn.model_selection import GridSearchCV
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC
        from sklearn.utils.parallel import Parallel

        classes = (BaseEstimator, ClassifierMixin, TransformerMixin, Pipeline, GridSearchCV, StandardScaler, SVC)
        bases = {base for cls in (*classes, Parallel) for base in cls.__mro__}
        return [vars(cls).get(name) for cls in sorted(bases, key=repr) for name in (*_NAMES, "__init_subclass__")]


_NAMES = ("fit", "predict", "predict_proba", "transform", "fit_transform", "score", "decision_function", "__call__")
