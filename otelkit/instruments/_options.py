# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What the configuration says of each family: buckets, limits, labels, and whether it is on."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from otelkit._core._buckets import NUMBERS, SECONDS, ExplicitBuckets
from otelkit._core._exponential import ExponentialBuckets
from otelkit._core._family import Definition, Options
from otelkit._core._guard import guard
from otelkit.masking import masker_of

if TYPE_CHECKING:
    from otelkit.config import Settings

_explicit = functools.lru_cache(maxsize=None)(ExplicitBuckets)
_exponential = ExponentialBuckets()


@functools.cache
def early_settings() -> Settings:
    """
    Return the settings that hold before `otelkit.configure`: variables and file, no arguments.

    Decorators need them when a module is imported. A mistake in them is
    logged here, and raised by `otelkit.configure`.
    """
    from otelkit.config import Settings, load
    from otelkit.exceptions import ConfigurationError

    try:
        return load()
    except ConfigurationError as error:
        guard.warn("early settings", f"otelkit records with its defaults, for its configuration is wrong. {error}")
        return Settings()


def options_of(settings: Settings) -> Callable[[Definition], Options]:
    """Return what gives each family its options under ``settings``."""
    return lambda definition: _options(definition, settings)


def early_options(definition: Definition) -> Options:
    """Return a family's options before `otelkit.configure`."""
    return _options(definition, early_settings())


def _options(definition: Definition, settings: Settings) -> Options:
    masker = masker_of(settings)
    mask = masker.label if masker else None
    if not settings.metrics:
        return Options(_shape(definition, settings, None), settings.cardinality_limit, mask=mask)
    # A call's four metrics share their cells: what a rule says of the labels of one holds for all.
    rules = [settings.rule(metric.name) for metric in definition.metrics]
    limits = [rule.cardinality_limit for rule in rules if rule.cardinality_limit]
    return Options(
        _shape(definition, settings, rules[-1].buckets),
        min(limits, default=settings.cardinality_limit),
        frozenset(metric.name for metric, rule in zip(definition.metrics, rules, strict=True) if not rule.enabled),
        frozenset(label for rule in rules for label in rule.drop_labels),
        tuple(sorted({old: new for rule in rules for old, new in rule.rename_labels.items()}.items())),
        frozenset(label for rule in rules for label in rule.hash_labels),
        max((rule.hash_buckets for rule in rules if rule.hash_labels), default=64),
        mask,
    )


def _shape(
    definition: Definition, settings: Settings, ruled: tuple[float, ...] | None
) -> ExplicitBuckets | ExponentialBuckets:
    """Return the buckets: a rule's, else the declaration's, else the configured or conventional default."""
    bounds = ruled or definition.bounds
    if bounds is not None:
        return _explicit(tuple(bounds))
    if settings.histogram == "exponential":
        return _exponential
    if definition.metrics[-1].unit != "s":
        return _explicit(NUMBERS)
    return _explicit(tuple(settings.buckets) if settings.buckets else SECONDS)
