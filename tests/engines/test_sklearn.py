# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""scikit-learn, the real one on its own data: what counts as one call, wherever its parts run."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import otelkit_instrumentation.inference.sklearn as instrumentor
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.datasets import load_diabetes, load_digits
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from support.otlp_receiver import OtlpReceiver
from support.program import Program, environment

import otelkit
from otelkit.testing import Telemetry, capture, strict

pytestmark = pytest.mark.engines

ROOT = Path(__file__).parents[2]
DIGITS, TARGETS = load_digits(return_X_y=True)


class Halver(BaseEstimator, TransformerMixin):
    """A program's own transformer, defined before anything is instrumented."""

    def fit(self, X: Any, y: Any = None) -> Halver:
        return self

    def transform(self, X: Any) -> Any:
        return X / 2


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """What is recorded with scikit-learn instrumented; failures inside otelkit fail the test."""
    with strict():
        otelkit.instrument("sklearn")
        try:
            with capture() as captured:
                yield captured
        finally:
            otelkit.uninstrument("sklearn")


def recorded(telemetry: Telemetry) -> dict[tuple[str, str], int]:
    """Return the number of requests by model and operation."""
    found: dict[tuple[str, str], int] = {}
    for point in telemetry.points("inference.requests"):
        key = (point.attributes["inference.model"], point.attributes["inference.operation"])
        found[key] = found.get(key, 0) + int(point.value)  # type: ignore[union-attr]
    return found


def test_a_pipeline_is_one_call(telemetry: Telemetry) -> None:
    """Of its own, by the name of what it ends in; its steps belong to it."""
    pipeline = make_pipeline(StandardScaler(), Halver(), LogisticRegression(max_iter=300))
    pipeline.fit(DIGITS, TARGETS)
    pipeline.predict(DIGITS[:7])
    pipeline.predict_proba(DIGITS[:2])
    pipeline.score(DIGITS, TARGETS)
    name = "Pipeline[LogisticRegression]"
    assert recorded(telemetry) == {(name, operation): 1 for operation in ("fit", "predict", "predict_proba", "score")}
    assert telemetry.value("inference.items", {"inference.operation": "predict"}) == 7


@pytest.mark.parametrize("jobs", [None, 2], ids=["one-process", "loky"])
def test_a_search_is_one_call_wherever_its_fits_run(telemetry: Telemetry, jobs: int | None) -> None:
    """In this process or in others."""
    search = GridSearchCV(make_pipeline(Halver(), SVC()), {"svc__C": [1, 10]}, cv=2, n_jobs=jobs)
    search.fit(DIGITS[:300], TARGETS[:300]).predict(DIGITS[:5])
    name = "GridSearchCV[Pipeline[SVC]]"
    assert recorded(telemetry) == {(name, "fit"): 1, (name, "predict"): 1}


def test_a_forest_is_one_call_though_its_trees_work_in_threads(telemetry: Telemetry) -> None:
    """Threads of joblib's do not know the caller's context; its trees are nested all the same."""
    forest = RandomForestClassifier(20, n_jobs=2).fit(DIGITS, TARGETS)
    forest.predict(DIGITS[:9])
    forest.predict_proba(DIGITS[:9])
    name = "RandomForestClassifier"
    assert recorded(telemetry) == {(name, "fit"): 1, (name, "predict"): 1, (name, "predict_proba"): 1}


def test_other_estimators_of_estimators(telemetry: Telemetry) -> None:
    """Votes, unions and one regressor an output."""
    vote = VotingClassifier([("a", SVC()), ("b", LogisticRegression(max_iter=300))], n_jobs=2)
    vote.fit(DIGITS[:300], TARGETS[:300]).predict(DIGITS[:3])
    FeatureUnion([("a", StandardScaler()), ("b", Halver())], n_jobs=2).fit_transform(DIGITS[:50])
    data, target = load_diabetes(return_X_y=True)
    MultiOutputRegressor(LinearRegression(), n_jobs=2).fit(data, np.c_[target, target])
    assert recorded(telemetry) == {
        ("VotingClassifier", "fit"): 1,
        ("VotingClassifier", "predict"): 1,
        ("FeatureUnion", "fit_transform"): 1,
        ("MultiOutputRegressor[LinearRegression]", "fit"): 1,
    }


def test_cross_validation_is_as_many_calls_as_it_makes(telemetry: Telemetry) -> None:
    """A function has no estimator around it: each fold's fit and score are outermost."""
    cross_val_score(SVC(), DIGITS[:300], TARGETS[:300], cv=3)
    assert recorded(telemetry) == {("SVC", "fit"): 3, ("SVC", "score"): 3}


def test_estimators_of_the_programs_own(telemetry: Telemetry) -> None:
    """Defined before and after, in either order of bases, calling their parents; the outermost name counts."""

    class After(TransformerMixin, BaseEstimator):
        def fit(self, X: Any, y: Any = None) -> After:
            return self

        def transform(self, X: Any) -> Any:
            return X + 1

    class Careful(SVC):
        def predict(self, X: Any) -> Any:
            return super().predict(X)

    class Constant(BaseEstimator, ClassifierMixin):
        def fit(self, X: Any, y: Any) -> Constant:
            self.classes_ = np.unique(y)
            return self

        def predict(self, X: Any) -> Any:
            return np.zeros(len(X), int)

    Halver().fit_transform(DIGITS)
    After().fit(DIGITS).transform(DIGITS[:3])
    Careful().fit(DIGITS[:300], TARGETS[:300]).predict(DIGITS[:2])
    Constant().fit(DIGITS, TARGETS).score(DIGITS, TARGETS)
    assert recorded(telemetry) == {
        ("Halver", "fit_transform"): 1,
        ("After", "fit"): 1,
        ("After", "transform"): 1,
        ("Careful", "fit"): 1,
        ("Careful", "predict"): 1,
        ("Constant", "fit"): 1,
        ("Constant", "score"): 1,
    }


def test_clones_and_pickles_are_recorded_and_plain_elsewhere(telemetry: Telemetry) -> None:
    """An estimator carries nothing of ours: it is loaded where nobody has otelkit, too."""
    machine = clone(SVC()).fit(DIGITS[:300], TARGETS[:300])
    sent = pickle.dumps(machine)
    assert b"otelkit" not in sent
    assert (pickle.loads(sent).predict(DIGITS[:4]) == machine.predict(DIGITS[:4])).all()
    assert recorded(telemetry) == {("SVC", "fit"): 1, ("SVC", "predict"): 2}


def test_methods_that_are_not_there_stay_so(telemetry: Telemetry) -> None:
    """Conditional methods keep their condition, their message and their signature."""
    plain = SVC().fit(DIGITS[:100], TARGETS[:100])
    pipeline = make_pipeline(StandardScaler(), plain)
    assert not hasattr(pipeline, "transform")
    with pytest.raises(AttributeError, match="has no attribute 'transform'"):
        pipeline.transform  # noqa: B018
    assert list(inspect.signature(SVC.fit).parameters) == ["self", "X", "y", "sample_weight"]
    assert list(inspect.signature(pipeline.predict).parameters) == ["X", "params"]
    assert SVC.fit.__doc__
    assert SVC.fit.__doc__.strip().startswith("Fit the SVM model")


@pytest.mark.parametrize(
    ("data", "items"),
    [
        (DIGITS[:6], 6),
        (DIGITS[:6].tolist(), 6),
        (sparse.csr_matrix(DIGITS[:6]), 6),
    ],
    ids=["array", "lists", "sparse"],
)
def test_items_are_rows(telemetry: Telemetry, data: Any, items: int) -> None:
    """Whatever holds them; nothing is converted to count them."""
    SGDClassifier().fit(DIGITS[:100], TARGETS[:100]).predict(X=data)
    assert telemetry.value("inference.items", {"inference.operation": "predict"}) == items


def test_texts_are_items_and_a_generator_of_them_is_not_consumed(telemetry: Telemetry) -> None:
    """Each document is one."""
    texts = ["one text", "another text", "a third"]
    vectorizer = TfidfVectorizer().fit(texts)
    assert vectorizer.transform(text for text in texts).shape[0] == 3
    assert telemetry.value("inference.items", {"inference.operation": "fit"}) == 3
    assert telemetry.value("inference.batch_size", {"inference.operation": "transform"}) == 0
    assert recorded(telemetry) == {("TfidfVectorizer", "fit"): 1, ("TfidfVectorizer", "transform"): 1}


def test_names_are_classes_only(telemetry: Telemetry) -> None:
    """Of parameters and data nothing is kept; what is no estimator has no name of its own."""
    pipeline = make_pipeline(StandardScaler(), "passthrough")
    assert instrumentor.model_name(pipeline) == "Pipeline"
    deep = GridSearchCV(GridSearchCV(make_pipeline(SVC(C=17)), {}), {})
    assert instrumentor.model_name(deep) == "GridSearchCV[GridSearchCV[Pipeline]]"
    assert instrumentor.model_name(FunctionTransformer(np.log1p)) == "FunctionTransformer"


def test_everything_is_put_back() -> None:
    """In every class that scikit-learn and this file define."""

    def state() -> dict[tuple[type, str], Any]:
        kinds = {base for kind in instrumentor._with_subclasses(BaseEstimator) for base in kind.__mro__}
        return {(kind, name): value for kind in kinds for name, value in list(vars(kind).items()) if "slot" not in name}

    before = state()
    otelkit.instrument("sklearn")
    changed = [key for key, value in state().items() if before.get(key) is not value]
    otelkit.uninstrument("sklearn")
    assert len(changed) > 200
    after = state()
    assert after.keys() == before.keys()
    assert [key for key in before if before[key] is not after[key] and key[1] != "__doc__"] == []


PROGRAM = """
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

class Halver(BaseEstimator, TransformerMixin):
    def fit(self, X, y=None):
        return self
    def transform(self, X):
        return X / 2

if __name__ == "__main__":
    data, targets = load_digits(return_X_y=True)
    search = GridSearchCV(make_pipeline(Halver(), SVC()), {"svc__C": [1, 10]}, cv=2, n_jobs=2)
    search.fit(data[:400], targets[:400])
    for row in range(25):
        search.predict(data[row : row + 1])
    print(round(search.score(data[400:], targets[400:]), 1))
"""


def test_a_program_that_knows_nothing_of_it_shows_up_right(tmp_path: Path) -> None:
    """Under `otelkit run`, worker processes included: a search, 25 predictions and a score, each once."""
    program = Program(tmp_path, PROGRAM)
    with OtlpReceiver("http") as receiver:
        done = subprocess.run(
            [sys.executable, "-m", "otelkit", "run", "--", sys.executable, program.path],
            env=environment(receiver, OTEL_TRACES_EXPORTER="none"),
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert (done.returncode, done.stdout) == (0, "0.9\n"), done.stderr
        requests = {
            (series.attributes["inference.model"], series.attributes["inference.operation"])
            for series in receiver.series("inference.requests")
        }
        name = "GridSearchCV[Pipeline[SVC]]"
        assert requests == {(name, "fit"), (name, "predict"), (name, "score")}
        assert receiver.total("inference.requests") == 27
        assert receiver.total("inference.duration") == 27
        assert receiver.total("inference.items") == 400 + 25 + 1397


def test_the_example_prints_what_its_page_says(tmp_path: Path) -> None:
    """A search is one call, its predictions nine."""
    example = ROOT / "examples" / "engines" / "sklearn_digits.py"
    with OtlpReceiver("http") as receiver:
        done = subprocess.run(
            [sys.executable, example], env=environment(receiver), capture_output=True, text=True, timeout=100
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert "inference.requests GridSearchCV[Pipeline[SVC]] predict 9" in done.stdout
    assert done.stdout in (ROOT / "docs" / "inference.md").read_text()
