# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The settings as data: for docs, doctor and whoever must name them."""

from __future__ import annotations

import re
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, get_args, get_origin

from msgspec import NODEFAULT
from msgspec.structs import fields

from otelkit.config._definition import MASK, Option, Setting, masked_url
from otelkit.config._settings import MetricRule, Settings
from otelkit.config._text import is_table, plain
from otelkit.masking import Masker

__all__ = ("describe", "display")

_SECRET_KEY = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|api[-_.]?key|private[-_.]?key|credential|authorization", re.I
)

_masker = Masker()


def describe() -> list[Setting]:
    """Return all settings, in the order of the docs."""
    return list(settings_by_name().values())


@cache
def settings_by_name() -> MappingProxyType[str, Setting]:
    """Return all settings by name."""
    found = {}
    for field in fields(Settings):
        for option in getattr(field.type, "__metadata__", ()):
            if isinstance(option, Option):
                default = field.default if field.default is not NODEFAULT else field.default_factory()
                found[field.name] = Setting(field.name, field.type, type_for_people(field.type), default, option)
    return MappingProxyType(found)


def type_for_people(annotation: Any) -> str:
    """Name a type as one would say it."""
    kind = plain(annotation)
    if kind is MetricRule:
        return "rules"
    if get_origin(kind) is Literal:
        return " | ".join(get_args(kind))
    if get_origin(kind) is tuple:
        return f"list of {type_for_people(get_args(kind)[0])}"
    if get_origin(kind) is dict:
        return "table of rules" if get_args(kind)[1] is MetricRule else "table"
    return _NAMES.get(kind, "number or text")


_NAMES = {bool: "true or false", int: "whole number", float: "number", str: "text"}


def display(name: str, value: object) -> object:
    """
    Return what may be shown of a setting's value.

    Secrets are masked, and so are passwords in URLs and values under keys that look like secrets.
    """
    setting = settings_by_name().get(name)
    if value is None or value == {}:
        return value
    if setting is not None and setting.secret:
        return dict.fromkeys(value, MASK) if isinstance(value, dict) else MASK
    if isinstance(value, str):
        return _masker.text(masked_url(value))
    if setting is not None and is_table(setting.annotation) and isinstance(value, dict) and name != "metrics":
        return {
            key: MASK if _SECRET_KEY.search(str(key)) else _masker.value(str(key), item) for key, item in value.items()
        }
    return value
