# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
instrumentation/README.md, made from the instrumentors themselves.

``python -m otelkit_instrumentation._page constraints.txt > instrumentation/README.md``; the tested versions are those
that constraints.txt pins, as CI installs these.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from otelkit_instrumentation._base import Instrumentor

_HEAD = """\
<!-- Made by `make docs` from the instrumentors and constraints.txt; a test holds it up to date. -->

# Instrumentors

`otelkit run` and `opentelemetry-instrument` activate all of them; a program does so by name:

```python
otelkit.instrument("celery", "torch")  # no names: all that are installed
otelkit.uninstrument("torch")  # the originals are back, exactly
```

Nothing is imported for it: a library is patched when the program imports it. One that is not installed is skipped, one
of another version is left as it is, with one line in the log. `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=otelkit_torch`
turns one off from outside. A name that does not exist is an error that suggests the nearest one.

| library | name | versions | tested with | what is recorded |
|---|---|---|---|---|
"""

_TAIL = """
`batch.*` and `job.*` are told in [docs/batch.md](../docs/batch.md), `inference.*` and `gen_ai.*` in
[docs/inference.md](../docs/inference.md). `otelkit_machine` (host, process, GPUs) is there for
`opentelemetry-instrument` without otelkit's own set-up; `otelkit.configure` observes the machine by itself.
"""


def page(constraints: str) -> str:
    """Return the page; ``constraints`` is the text of constraints.txt."""
    rows = [_row(name, cls, pins(constraints)) for name, cls in sorted(_instrumentors())]
    return _HEAD + "".join(rows) + _TAIL


def pins(constraints: str) -> dict[str, str]:
    """Return the pinned version of each distribution."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;#]+)", constraints, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def _instrumentors() -> Iterator[tuple[str, type[Instrumentor]]]:
    for point in entry_points(group="opentelemetry_instrumentor"):
        if not point.name.startswith("otelkit_"):
            continue
        cls = point.load()
        if issubclass(cls, Instrumentor):
            yield point.name.removeprefix("otelkit_"), cls


def _row(name: str, cls: type[Instrumentor], pinned: Mapping[str, str]) -> str:
    required = [Requirement(text) for text in (*cls.requires, *cls.requires_any)]
    joint = ", " if cls.requires else " or "
    versions = joint.join(f"{each.name} {each.specifier}" if each.specifier else each.name for each in required)
    found = {
        each.name: pinned[canonicalize_name(each.name)] for each in required if canonicalize_name(each.name) in pinned
    }
    tested = ", ".join(found.values() if len(required) == 1 else map(" ".join, found.items()))
    standard = "Python's own"
    return f"| {cls.title} | `{name}` | {versions or standard} | {tested or 'Python 3.11'} | {cls.signals} |\n"


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        sys.stdout.write(page(file.read()))
