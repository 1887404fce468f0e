# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What the text of an environment variable means."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from otelkit._core._guard import guard


def plain(annotation: Any) -> Any:
    """Strip ``Annotated`` and ``| None`` from a type."""
    if hasattr(annotation, "__metadata__"):
        return plain(annotation.__origin__)
    members = [member for member in get_args(annotation) if member is not type(None)]
    is_optional = type(None) in get_args(annotation) and len(members) == 1
    return plain(members[0]) if is_optional else annotation


def is_table(annotation: Any) -> bool:
    """Say whether the setting is a table of keys and values."""
    return get_origin(plain(annotation)) is dict


def is_list_of_names(annotation: Any) -> bool:
    """Say whether the setting is a list of words, for which ``a,b`` may be written everywhere."""
    kind = plain(annotation)
    return get_origin(kind) is tuple and plain(get_args(kind)[0]) is not float


def read(text: str, annotation: Any) -> object:
    """
    Return what ``text`` means for a setting of that type, in otelkit's own reading.

    Raises ``ValueError`` with what was expected. Numbers and truth values stay text: msgspec reads those.
    """
    kind = plain(annotation)
    if get_origin(kind) is Literal:
        return text.lower()
    if get_origin(kind) is tuple:
        return words(text)
    if get_origin(kind) is dict:
        return pairs(text) if get_args(kind)[1] in _SCALARS or get_origin(get_args(kind)[1]) else table(text)
    return text


_SCALARS = (str, int, float, bool)


def words(text: str) -> list[str]:
    """Split at commas; ``none`` alone is the empty list."""
    found = [word.strip() for word in text.split(",") if word.strip()]
    return [] if [word.lower() for word in found] == ["none"] else found


def pairs(text: str) -> dict[str, str]:
    """Read ``key=value,key=value``, both percent-encoded, as OTEL_RESOURCE_ATTRIBUTES and W3C baggage have it."""
    from urllib.parse import unquote

    found = {}
    for item in words(text):
        key, equals, value = item.partition("=")
        if not equals or not key.strip():
            raise ValueError("key=value pairs, separated by commas, percent-encoded")
        found[unquote(key.strip())] = unquote(value.strip())
    return found


def table(text: str) -> object:
    """Read JSON."""
    import msgspec

    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ValueError(f"a JSON object ({error})") from None


def headers(text: str) -> dict[str, str]:
    """Read OTLP headers: pairs whose keys are in lower case, as HTTP/2 wants them."""
    return {key.lower(): value for key, value in pairs(text).items()}


def milliseconds(text: str) -> float:
    """Return seconds."""
    try:
        return float(text) / 1_000
    except ValueError:
        raise ValueError("a number of milliseconds") from None


def otlp_timeout(text: str) -> float:
    """
    Return seconds, from either of the units in use.

    The specification says milliseconds, Python's SDK reads seconds. Nobody waits a quarter of an hour for an
    export, and hardly anybody less than a second: 1000 and more are milliseconds, less are seconds.
    """
    try:
        value = float(text)
    except ValueError:
        raise ValueError("a number: milliseconds from 1000 on, seconds below") from None
    return value / 1_000 if value >= 1_000 else value


def boolean(text: str) -> bool:
    """Read a truth value as the specification has it: only "true" is true, in any case."""
    if text.lower() not in ("true", "false"):
        # The specification wants the fallback logged; an error would break what it calls valid.
        guard.warn(f"boolean {text}", f"An OTEL_ variable that must be true or false is {text!r}: taken as false.")
    return text.lower() == "true"


def negated(text: str) -> bool:
    """Read the opposite of a truth value."""
    return not boolean(text)


def histogram(text: str) -> str:
    """Read OpenTelemetry's names of histogram aggregations."""
    names = {"explicit_bucket_histogram": "explicit", "base2_exponential_bucket_histogram": "exponential"}
    try:
        return names[text.lower()]
    except KeyError:
        raise ValueError(" or ".join(names)) from None
