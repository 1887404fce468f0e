# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""From raw values to typed ones, with errors that say where."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from otelkit.config import _text
from otelkit.config._definition import MASK, Setting
from otelkit.config._describe import display
from otelkit.config._settings import MetricRule
from otelkit.exceptions import ConfigurationError, did_you_mean

_MESSAGE = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?", re.S)


def from_text(setting: Setting, text: str, where: str, *, is_otel: bool) -> Any:
    """Convert a variable's text; OpenTelemetry's variables are read as it reads them."""
    read = setting.option.read if is_otel else None
    try:
        value = read(text) if read else _text.read(text, setting.annotation)
    except ValueError as error:
        raise ConfigurationError(str(error), shown(setting, text), where, f"Correct or unset {where}.") from None
    return _convert(setting, value, where, got=text, strict=False)


def from_value(setting: Setting, value: object, where: str) -> Any:
    """Convert an argument or a value of the file."""
    if isinstance(value, os.PathLike) and setting.option.path:
        value = os.fspath(value)
    if _text.is_list_of_names(setting.annotation):
        value = _names(value)
    if setting.name == "metrics" and isinstance(value, Mapping):
        value = {key: _plain_rule(rule) for key, rule in value.items()}
    return _convert(setting, value, where, got=value, strict=True)


def _convert(setting: Setting, value: object, where: str, *, got: object, strict: bool) -> Any:
    if setting.name == "sampler_arg" and isinstance(value, str):
        return _number_or_text(value)
    if isinstance(value, Mapping) and _text.is_table(setting.annotation):
        item_type = get_args(_text.plain(setting.annotation))[1]
        strict = strict or item_type is not float  # a variable's number is text; an attribute's text stays text
        return {
            _key(setting, key, where): _item(
                setting, item_type, item, f"{where}[{key!r}]", got=_displayed(setting, key, item), strict=strict
            )
            for key, item in value.items()
        }
    converted = _item(setting, setting.annotation, value, where, got=got, strict=strict)
    if setting.name in ("metrics_exporters", "traces_exporters", "machine"):
        return tuple(dict.fromkeys(converted))
    return converted


def _displayed(setting: Setting, key: object, item: object) -> object:
    table = display(setting.name, {key: item})
    return table[key] if isinstance(table, dict) else item


def _number_or_text(value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value


def _key(setting: Setting, key: object, where: str) -> str:
    if isinstance(key, str) and key:
        return key
    raise ConfigurationError("text as a key", repr(key), where, f"Keys of {setting.name} are text.")


def _names(value: object) -> object:
    """Let one word be a list, and ``none`` the empty one, as in a variable."""
    if isinstance(value, (list, tuple)) and len(value) == 1:
        value = value[0]
    return _text.words(value) if isinstance(value, str) else value


def _plain_rule(rule: object) -> object:
    return msgspec.to_builtins(rule) if isinstance(rule, MetricRule) else rule


_SAME = object()


def _item(
    setting: Setting, annotation: Any, value: object, where: str, *, got: object = _SAME, strict: bool = True
) -> Any:
    try:
        return msgspec.convert(value, annotation, strict=strict)
    except msgspec.ValidationError as error:
        raise _located(setting, annotation, value if got is _SAME else got, where, str(error)) from None


def _located(setting: Setting, annotation: Any, got: object, where: str, message: str) -> ConfigurationError:
    """Turn msgspec's message into ours."""
    match = _MESSAGE.fullmatch(message)
    what, path = (match["what"], match["path"] or "") if match else (message, "")
    where += path
    if what.startswith("Object contains unknown field"):
        key = what.split("`")[1]
        known = MetricRule.__struct_fields__
        return ConfigurationError(f"one of {', '.join(known)}", repr(key), where, did_you_mean(key, known))
    if what.startswith("Invalid enum value"):
        allowed = _allowed(annotation, path.rpartition(".")[2])
        bad = what.removeprefix("Invalid enum value ").strip("'")
        return ConfigurationError(f"one of {', '.join(allowed)}", repr(bad), where, did_you_mean(bad, allowed))
    return ConfigurationError(_expected(what), shown(setting, got), where, _remedy(setting))


def _allowed(annotation: Any, key: str) -> tuple[str, ...]:
    """Return the values of the choice in ``annotation``; of a metric's rule, of that under ``key``."""
    kind = _text.plain(annotation)
    if kind is MetricRule:
        kind = _text.plain(get_type_hints(MetricRule)[key])
    return get_args(kind) if get_origin(kind) is Literal else _allowed(get_args(kind)[0], key)


_FOR_PEOPLE = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "object": "a table",
    "array": "a list",
}


def _expected(what: str) -> str:
    """Say in words what msgspec names by its types: ``Expected `int | null`, got `str` ``."""
    rule = what.removeprefix("Expected ").partition(", got ")[0].replace("`", "").removesuffix(" | null")
    return re.sub(r"\b(int|float|str|bool|object|array)\b", lambda kind: _FOR_PEOPLE[kind[0]], rule)


def _remedy(setting: Setting) -> str:
    unit = f", in {setting.unit}" if setting.unit else ""
    default = f"; default {display(setting.name, setting.default)}" if setting.default not in (None, {}) else ""
    return f"Type of {setting.name}: {setting.type}{unit}{default}."


def shown(setting: Setting, value: object) -> str:
    """Return a value as an error may show it: a secret never."""
    if setting.secret:
        return f"{MASK} ({type(value).__name__})"
    return repr(display(setting.name, value))
