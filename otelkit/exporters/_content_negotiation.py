# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Which format and encoding a scraper gets, by its Accept headers and their q-values (RFC 9110, 12.4 and 12.5)."""

from __future__ import annotations

from collections.abc import Iterator

_OPENMETRICS = ("application/openmetrics-text", ("", "1.0.0"))
_TEXT = ("text/plain", ("", "0.0.4", "1.0.0"))


def prefers_openmetrics(accept: str | None) -> bool:
    """
    Tell whether OpenMetrics 1.0.0 is wanted more than text 0.0.4.

    Text it is for a header that is absent, names neither, or likes both as
    much: a scraper that wants exemplars says so. A header that admits neither
    gets text as well, as from every Prometheus client, rather than a 406.
    """
    if not accept:
        return False
    openmetrics, text = _quality(accept, *_OPENMETRICS), _quality(accept, *_TEXT)
    return openmetrics > text or (openmetrics == text > 0 and _position(accept))


def accepts_gzip(accept_encoding: str | None) -> bool:
    """Tell whether the answer may be compressed; ``gzip;q=0`` and silence say no."""
    qualities = {name: quality for name, quality, _ in _items(accept_encoding or "")}
    return qualities.get("gzip", qualities.get("*", 0.0)) > 0


def _position(accept: str) -> bool:
    """Break a tie: the type that is named explicitly first."""
    for name, quality, _ in _items(accept):
        if quality > 0 and name in (_OPENMETRICS[0], _TEXT[0]):
            return name == _OPENMETRICS[0]
    return False


def _quality(accept: str, media_type: str, versions: tuple[str, ...]) -> float:
    """Return the q-value of the most specific range that covers the type, 0 if none does."""
    best, specific = 0.0, -1
    ranges = (media_type, f"{media_type.split('/')[0]}/*", "*/*")
    for name, quality, parameters in _items(accept):
        if name not in ranges or (name == media_type and parameters.get("version", "") not in versions):
            continue
        rank = len(ranges) - ranges.index(name)
        if rank > specific or (rank == specific and quality > best):
            best, specific = quality, rank
    return best


def _items(header: str) -> Iterator[tuple[str, float, dict[str, str]]]:
    """Yield name, q-value and parameters of each element; a q-value that is no number counts as 0."""
    for element in header.split(","):
        name, *rest = (part.strip() for part in element.split(";"))
        parameters: dict[str, str] = {}
        for part in rest:
            key, _, value = part.partition("=")
            parameters[key.strip().lower()] = value.strip().strip('"')
        if name:
            yield name.lower(), _q(parameters.pop("q", "1")), parameters


def _q(text: str) -> float:
    try:
        quality = float(text)
    except ValueError:
        return 0.0
    return quality if 0.0 <= quality <= 1.0 else 0.0
