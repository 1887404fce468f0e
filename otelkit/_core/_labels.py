# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Label values: what a cell is found by, and what its series are called.

A key is the tuple of values, a single value bare. Only text is ever a key of
the fast look-up: 1, True and 1.0 are equal as keys and would share a cell.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from otelkit.exceptions import DeclarationError

Key = str | tuple[str, ...]

_RESERVED = {
    "error.type": "otelkit sets it on errors and on the durations of failed calls",
    "otel.metric.overflow": "it marks the overflow series",
    "le": "Prometheus uses it for buckets",
    "quantile": "Prometheus uses it for summaries",
    "job": "Prometheus names the service by it, and the Collector drops metrics that bring their own",
    "instance": "Prometheus names the process by it, and the Collector drops metrics that bring their own",
}


def text_of(value: object) -> str:
    """
    Return ``value`` as label text: booleans as in JSON, None as empty.

    Never raises: a value whose ``__str__`` raises is named after its type.
    """
    if isinstance(value, str):
        return str.__str__(value)  # an enum of strings gives its value, as it hashes
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        return str(value)
    except Exception:
        return f"<{type(value).__name__}>"


def hashed(text: str, buckets: int) -> str:
    """
    Return one of ``buckets`` short texts for ``text``: the same in every process, on every machine and release.

    Empty text stays. The leading ``#`` keeps results apart from what real values look like.
    """
    if not text:
        return text
    digest = int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
    return f"#{digest % buckets:0{len(f'{buckets - 1:x}')}x}"


def checked_labels(labels: Iterable[str], where: str) -> tuple[str, ...]:
    """Return label names as a tuple, or raise `DeclarationError`."""
    if isinstance(labels, str):
        raise DeclarationError("a list of label names", labels, where, f"Write labels=[{labels!r}].")
    try:
        names = tuple(labels)
    except TypeError:
        raise DeclarationError("a list of label names", labels, where) from None
    for name in names:
        if not isinstance(name, str) or not name or name.startswith("__"):
            raise DeclarationError("label names that are non-empty text without a leading '__'", name, where)
        if name in _RESERVED:
            raise DeclarationError("a label name of your own", name, where, f"{name!r} is reserved: {_RESERVED[name]}.")
    if len(set(names)) < len(names):
        raise DeclarationError("each label once", list(names), where)
    return names


def most_varied(keys: Iterable[Key], labels: tuple[str, ...]) -> tuple[str, int, str]:
    """Return the label with the most different values, how many, and one of them."""
    values: list[set[str]] = [set() for _ in labels]
    for key in list(keys):
        for seen, value in zip(values, (key,) if isinstance(key, str) else key, strict=False):
            seen.add(value)
    position = max(range(len(labels)), key=lambda index: len(values[index]))
    return labels[position], len(values[position]), next(iter(values[position]), "")
