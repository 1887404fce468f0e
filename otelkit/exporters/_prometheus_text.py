# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The small pieces of an exposition: escaped text, numbers, label lists, exemplars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from otelkit._core._snapshot import Attributes, Exemplar
from otelkit.exporters._prometheus_names import label_name

SCOPE_LABELS = frozenset({"otel_scope_name", "otel_scope_version", "otel_scope_schema_url"})


class Scope(NamedTuple):
    """An instrumentation scope, whose parts become ``otel_scope_*`` labels."""

    name: str
    version: str = ""
    schema_url: str = ""
    attributes: tuple[tuple[str, str], ...] = ()


def escape_label(value: str) -> str:
    """Escape a label value; the same in both formats."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def escape_help(text: str, *, openmetrics: bool) -> str:
    """Escape a HELP text; only OpenMetrics escapes the quote."""
    return escape_label(text) if openmetrics else text.replace("\\", r"\\").replace("\n", r"\n")


def value_text(value: float) -> str:
    """Spell a sample's value so that Go and both parsers read the very same number."""
    return repr(value) if value - value == 0 else _not_finite(value)


def _not_finite(value: float) -> str:
    if value != value:
        return "NaN"
    return "+Inf" if value > 0 else "-Inf"


def bound_text(value: float) -> str:
    """
    Spell ``le`` and ``quantile`` canonically: ``1.0``, ``1e+06``, ``+Inf``.

    The spelling is part of the series' identity. Go's text format writes
    ``le="1"`` where its OpenMetrics writes ``le="1.0"``; the latter is used in
    both here, so that a series does not change with the negotiated format
    (Prometheus 3 makes the same correction when it scrapes).
    """
    if value - value != 0:
        return _not_finite(value)
    text = repr(float(value))
    # Negative bounds stay in Python's spelling: prometheus_client's parser refuses the page for "-1e+06".
    if value < 1e6 or "e" in text:
        return text
    whole, _, fraction = text.partition(".")
    mantissa = f"{whole[0]}.{whole[1:]}{fraction}".rstrip("0").rstrip(".")
    return f"{mantissa}e+{len(whole) - 1:02d}"


def label_map(pairs: Iterable[tuple[str, object]], reserved: frozenset[str] = frozenset()) -> dict[str, str]:
    """
    Return labels by name.

    Keys that become the same label have their values joined by ``;`` in the
    order of the original keys (specification, "Prometheus and OpenMetrics
    Compatibility"). A label that the exposition itself needs is renamed
    ``exported_``, as Prometheus does when a scrape conflicts.
    """
    labels: dict[str, str] = {}
    for key, value in sorted((key, str(value)) for key, value in pairs):
        name = label_name(key)
        name = f"exported_{name}" if name in reserved else name
        labels[name] = f"{labels[name]};{value}" if name in labels else value
    return labels


def map_text(labels: Mapping[str, str]) -> str:
    """Return ``a="x",b="y",`` - with a comma after each, so that more can follow."""
    return "".join(f'{name}="{escape_label(value)}",' for name, value in labels.items())


def series_labels(attributes: Attributes, reserved: str) -> dict[str, str]:
    """Return the labels of one series; ``reserved`` is the one that its type adds, ``le`` or ``quantile``."""
    return label_map(attributes.items(), SCOPE_LABELS | {reserved} if reserved in attributes else SCOPE_LABELS)


def labels_text(attributes: Attributes, reserved: str = "") -> str:
    """
    Return the text of `series_labels`.

    Cost: one attribute access after the first call; the text stays on ``attributes``.
    """
    if reserved in attributes:
        return map_text(series_labels(attributes, reserved))
    try:
        return attributes.exposition
    except AttributeError:
        attributes.exposition = text = map_text(series_labels(attributes, ""))
        return text


def scope_labels(scope: Scope | None) -> dict[str, str]:
    """Return the ``otel_scope_*`` labels; none for ``None`` or empty parts."""
    if scope is None:
        return {}
    own = {
        "otel_scope_name": scope.name,
        "otel_scope_version": scope.version,
        "otel_scope_schema_url": scope.schema_url,
    }
    more = label_map(((f"otel.scope.{key}", value) for key, value in scope.attributes), SCOPE_LABELS)
    return {name: value for name, value in own.items() if value} | more


def braced(labels: str) -> str:
    """Close a label list: braces, and no comma before the last."""
    return f"{{{labels[:-1]}}}" if labels else ""


def exemplar_text(exemplar: Exemplar) -> str:
    """
    Return what follows a sample: `` # {trace_id="...",span_id="..."} value timestamp``.

    Its labels take 63 of the 128 characters that OpenMetrics allows.
    """
    seconds, rest = divmod(exemplar.time_ns, 1_000_000_000)
    ids = f'trace_id="{exemplar.trace_id:032x}",span_id="{exemplar.span_id:016x}"' if exemplar.trace_id else ""
    return f" # {{{ids}}} {float(exemplar)!r} {seconds}.{rest // 1_000:06d}"
