# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What all instrumentors promise: found by entry point, nothing imported for it, absent and strange libraries left."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import distribution, entry_points
from pathlib import Path

import pytest
from otelkit_instrumentation._base import Instrumentor
from otelkit_instrumentation._page import page
from packaging.requirements import Requirement

import otelkit
from otelkit.exceptions import ConfigurationError

ROOT = Path(__file__).parents[2]
OWN = {
    point.name: point
    for point in entry_points(group="opentelemetry_instrumentor")
    if point.name.startswith("otelkit_") and point.name != "otelkit_machine"
}

OTELKIT_RUN = (sys.executable, "-m", "otelkit", "run", "--")

INSTRUMENTOR = '''
from otelkit.loops import inference_of, recorded_outside
from otelkit_instrumentation._base import Instrumentor

class FakelibInstrumentor(Instrumentor):
    """Records fakelib."""

    title = "fakelib"
    requires = ("fakelib >= 2, < 3",)
    signals = "its calls"

    def patch(self, patches, **options):
        patches.when_imported("fakelib.model", lambda module: patches.wrap(module.Model, "predict", record))

def record(function):
    def call(self, rows):
        if recorded_outside():
            return function(self, rows)
        with inference_of("fakelib", "Model", "predict").step(len(rows)):
            return function(self, rows)
    return call
'''

MODEL = '''
class Model:
    def predict(self, rows):
        """Sum them."""
        return sum(rows)
'''

REPORT = """
def report():
    from otelkit.instruments.registry import default_registry
    found = {metric.name: points for metric, points in default_registry.snapshot()}
    print("recorded", sum(point.value for point in found.get("inference.requests", [])))
"""


class Place:
    """A folder with a library and its instrumentor, as pip would have installed them, and programs beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "fakelib_instrumentor.py").write_text(INSTRUMENTOR)
        points = "[opentelemetry_instrumentor]\notelkit_fakelib = fakelib_instrumentor:FakelibInstrumentor\n"
        self._distribution("fakelib-instrumentor", "1.0", points)

    def install(self, version: str) -> None:
        """Install the library."""
        (self.folder / "fakelib").mkdir()
        (self.folder / "fakelib" / "__init__.py").write_text("")
        (self.folder / "fakelib" / "model.py").write_text(MODEL)
        self._distribution("fakelib", version)

    def _distribution(self, name: str, version: str, points: str = "") -> None:
        info = self.folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(points)

    def run(self, program: str, *launcher: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run lines of Python."""
        kept = {name: value for name, value in os.environ.items() if "OTEL" not in name}
        silent = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTELKIT_MACHINE": "none"}
        return subprocess.run(
            [*launcher, sys.executable, "-c", REPORT + program],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.folder,
            env={**kept, **silent, "PYTHONPATH": os.pathsep.join([str(self.folder), *sys.path]), **variables},
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A place to install into."""
    return Place(tmp_path)


def test_by_hand_before_and_after_the_library_is_imported(place: Place) -> None:
    """Naming it imports nothing of it; it is patched when it is imported, and put back."""
    place.install("2.1")
    done = place.run(
        """
import sys, otelkit
assert otelkit.instrument("fakelib") == ("fakelib",) == otelkit.instrument("fakelib")
assert not any(name.startswith("fakelib.") for name in sys.modules) and "fakelib" not in sys.modules
from fakelib.model import Model
Model().predict([1, 2])
report()
assert otelkit.uninstrument("fakelib") == ("fakelib",)
assert otelkit.uninstrument("fakelib") == ()
Model().predict([1, 2])
report()
assert "fakelib" in otelkit.instrument()
Model().predict([1, 2])
report()
"""
    )
    assert (done.stdout, done.stderr) == ("recorded 1\nrecorded 1\nrecorded 2\n", "")


@pytest.mark.parametrize(
    "launcher",
    [
        (sys.executable, "-m", "otelkit", "run", "--"),
        (str(Path(sys.executable).with_name("opentelemetry-instrument")),),
    ],
    ids=["otelkit-run", "opentelemetry-instrument"],
)
def test_under_both_launchers(place: Place, launcher: tuple[str, ...]) -> None:
    """A program that has never heard of otelkit is recorded."""
    place.install("2.1")
    done = place.run("from fakelib.model import Model\nModel().predict([1])\nreport()", *launcher)
    assert (done.stdout, done.stderr) == ("recorded 1\n", "")


def test_an_absent_library_is_skipped_silently(place: Place) -> None:
    """Whether it is named or one of all."""
    done = place.run("import otelkit; print(otelkit.instrument('fakelib')); print('fakelib' in otelkit.instrument())")
    assert (done.stdout, done.stderr) == ("()\nFalse\n", "")


@pytest.mark.parametrize("launcher", [(), OTELKIT_RUN], ids=["by-hand", "otelkit-run"])
def test_an_unsupported_version_is_one_line(place: Place, launcher: tuple[str, ...]) -> None:
    """It is left as it is, and the line says which version there is and which would do."""
    place.install("3.0")
    by_hand = "" if launcher else "import otelkit; otelkit.instrument('fakelib')\n"
    done = place.run(f"{by_hand}from fakelib.model import Model\nModel().predict([1])\nprint('ran')", *launcher)
    assert done.stdout == "ran\n"
    (line,) = done.stderr.splitlines()
    assert "fakelib 3.0" in line
    assert "fakelib >= 2, < 3" in line


@pytest.mark.parametrize("value", ["otelkit_fakelib", "flask, otelkit_fakelib", "*"])
def test_what_the_operator_disables_stays_off(place: Place, value: str) -> None:
    """Also where the program names it."""
    place.install("2.1")
    program = "import otelkit; print(otelkit.instrument('fakelib'), 'fakelib' in otelkit.instrument())"
    done = place.run(program, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=value)
    assert done.stdout == "() False\n"


def test_switched_off_nothing_is_instrumented(place: Place) -> None:
    """OTELKIT_ENABLED=false holds for instrumentors, too."""
    place.install("2.1")
    assert place.run("import otelkit; print(otelkit.instrument('fakelib'))", OTELKIT_ENABLED="false").stdout == "()\n"


def test_a_broken_instrumentor_takes_none_of_the_others_with_it(place: Place) -> None:
    """It is one line in the log, and the program goes on."""
    place.install("2.1")
    broken = "[opentelemetry_instrumentor]\notelkit_broken = fakelib_instrumentor:Nothing\n"
    place._distribution("broken", "1.0", broken)
    done = place.run("import otelkit; print('fakelib' in otelkit.instrument(), 'broken' in otelkit.instrument())")
    assert done.stdout == "True False\n"
    (line,) = done.stderr.splitlines()
    assert "instrumenting broken" in line


@pytest.mark.parametrize("function", [otelkit.instrument, otelkit.uninstrument])
def test_an_unknown_name_suggests_the_nearest(function) -> None:
    """A typo raises at once, before anything is instrumented."""
    with pytest.raises(ConfigurationError, match=r"got machin - .* Did you mean 'machine'"):
        function("machin")
    with pytest.raises(ConfigurationError, match=r"There are: .*machine"):
        function("zzzz")


LIBRARIES = ("celery", "dask", "distributed", "joblib", "onnxruntime", "ray", "sklearn", "torch", "transformers")


def test_activating_all_imports_no_library(place: Place) -> None:
    """Of the libraries that are installed here, none is loaded before the program does so."""
    done = place.run(
        f"import sys, otelkit; otelkit.instrument(); print([name for name in {LIBRARIES} if name in sys.modules])"
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("name", OWN)
def test_each_of_otelkits_own_keeps_the_contract(name: str) -> None:
    """A direct subclass of the base, as instances are kept by class; it says what it needs and what it records."""
    cls = OWN[name].load()
    assert cls.__bases__ == (Instrumentor,)
    assert cls.title
    assert cls.signals
    for text in (*cls.requires, *cls.requires_any):
        assert Requirement(text).specifier, f"{text} names no oldest version"
    assert cls() is cls()


def test_the_distribution_has_no_instruments_extra() -> None:
    """With it, OpenTelemetry's loader would skip all instrumentors of a distribution if one library is missing."""
    extras = distribution("otelkit").metadata.get_all("Provides-Extra") or []
    assert not {"instruments", "instruments-any"} & set(extras)


def test_the_page_is_current() -> None:
    """`make docs` would change nothing in instrumentation/README.md."""
    made = page((ROOT / "constraints.txt").read_text("utf-8"))
    assert (ROOT / "instrumentation" / "README.md").read_text("utf-8") == made
