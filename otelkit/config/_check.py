# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What types cannot say: names that must be installed, files that must be there, values that contradict each other."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Literal
from urllib.parse import urlsplit

from otelkit.config import _otlp
from otelkit.config._convert import shown
from otelkit.config._definition import MASK
from otelkit.config._describe import settings_by_name
from otelkit.config._settings import MetricRule, Settings
from otelkit.exceptions import ConfigurationError, did_you_mean

METRICS_EXPORTERS = ("otlp", "prometheus", "pushgateway", "statsd", "json", "csv", "otlp_file", "console")
TRACES_EXPORTERS = ("otlp", "otlp_file", "console")
RATIO_SAMPLERS = ("traceidratio", "parentbased_traceidratio")
RATE_SAMPLERS = (
    "otelkit_ratelimited",
    "otelkit_adaptive",
    "otelkit_parentbased_ratelimited",
    "otelkit_parentbased_adaptive",
)
SAMPLERS = (
    *("always_on", "always_off", "parentbased_always_on", "parentbased_always_off"),
    *RATIO_SAMPLERS,
    *RATE_SAMPLERS,
)


def check(settings: Settings) -> None:
    """Raise `ConfigurationError` for the first thing wrong."""
    _check_exporters(settings, "metrics_exporters", METRICS_EXPORTERS, "opentelemetry_metrics_exporter")
    _check_exporters(settings, "traces_exporters", TRACES_EXPORTERS, "opentelemetry_traces_exporter")
    _check_sampler(settings)
    _check_spans(settings)
    _check_bounds(settings.buckets, where(settings, "buckets"))
    _check_patterns(settings)
    for name, rule in settings.metrics.items():
        _check_rule(rule, f"{where(settings, 'metrics')}[{name!r}]")
    for signal in ("metrics", "traces"):
        _check_otlp(settings, signal)
    _check_prometheus(settings)
    _check_url(settings.pushgateway_url, "pushgateway_url", where(settings, "pushgateway_url"))


def where(settings: Settings, name: str) -> str:
    """Return where a value stands, for an error."""
    source = settings.source(name)
    return f"argument {name}" if source == "argument" else f"{source} ({name})" if source == "default" else source


def _check_exporters(settings: Settings, name: str, known: tuple[str, ...], group: str) -> None:
    chosen = getattr(settings, name)
    if any(exporter.lower() == "none" for exporter in chosen):
        remedy = "Leave none out, or the others."
        raise ConfigurationError("none alone", repr(list(chosen)), where(settings, name), remedy)
    for exporter in chosen:
        _check_name(exporter, known, group, where(settings, name))


def _check_name(name: str, known: Iterable[str], group: str, at: str) -> None:
    if name in known:
        return
    from importlib.metadata import entry_points

    installed = entry_points(group=group).names
    if name not in installed:
        known = sorted({*known, *installed})
        remedy = did_you_mean(name, known) or f"Install the package that provides it as an entry point of {group}."
        raise ConfigurationError(f"one of {', '.join(known)}", repr(name), at, remedy)


def _check_sampler(settings: Settings) -> None:
    _check_name(settings.sampler, SAMPLERS, "opentelemetry_traces_sampler", where(settings, "sampler"))
    argument = settings.sampler_arg
    if argument is None:
        return
    number = argument if isinstance(argument, float) else math.nan
    if settings.sampler in RATIO_SAMPLERS and not 0 <= number <= 1:
        remedy = f"{settings.sampler} keeps this share of all traces."
        raise ConfigurationError("a number from 0 to 1", repr(argument), where(settings, "sampler_arg"), remedy)
    if settings.sampler in RATE_SAMPLERS and not 0 < number < math.inf:
        remedy = f"{settings.sampler} keeps this number of traces a second."
        raise ConfigurationError("a number above 0", repr(argument), where(settings, "sampler_arg"), remedy)


def _check_spans(settings: Settings) -> None:
    size, queue = settings.span_batch_size, settings.span_queue_size
    if size > queue:
        remedy = "Make the batch smaller or the queue larger."
        raise ConfigurationError(
            f"at most span_queue_size ({queue})", repr(size), where(settings, "span_batch_size"), remedy
        )


def _check_patterns(settings: Settings) -> None:
    for pattern in settings.secret_patterns:
        try:
            matches_nothing = re.compile(pattern).match("")
        except re.error as error:
            remedy = "It is matched by Python's re."
            got = f"{pattern!r}: {error}"
            raise ConfigurationError("a regular expression", got, where(settings, "secret_patterns"), remedy) from None
        if matches_nothing:
            remedy = "Such a pattern would put a mask between any two characters."
            at = where(settings, "secret_patterns")
            raise ConfigurationError("a pattern that does not match empty text", repr(pattern), at, remedy)


def _check_bounds(bounds: tuple[float, ...] | None, at: str) -> None:
    if bounds is None:
        return
    ascending = all(low < high for low, high in pairwise(bounds))
    if not bounds or not ascending or not all(map(math.isfinite, bounds)):
        remedy = "Sort them, name each once, and leave infinity out: the last bucket has no upper bound by itself."
        raise ConfigurationError("finite, ascending bounds", repr(list(bounds)), at, remedy)


def _check_rule(rule: MetricRule, at: str) -> None:
    _check_bounds(rule.buckets, f"{at}.buckets")
    if both := sorted(set(rule.drop_labels) & set(rule.rename_labels)):
        remedy = "Drop it or rename it."
        raise ConfigurationError("labels either dropped or renamed", repr(both[0]), at, remedy)
    if both := sorted(set(rule.drop_labels) & set(rule.hash_labels)):
        remedy = "Drop it or hash it."
        raise ConfigurationError("labels either dropped or hashed", repr(both[0]), at, remedy)
    new_names = list(rule.rename_labels.values())
    if len(set(new_names)) < len(new_names):
        remedy = "Give each label a name of its own."
        raise ConfigurationError("different new names", repr(rule.rename_labels), f"{at}.rename_labels", remedy)


def _check_otlp(settings: Settings, signal: Literal["metrics", "traces"]) -> None:
    otlp = settings.otlp(signal)

    def at(name: str) -> str:
        source = _otlp.source(settings, signal, name)
        return f"argument {name}" if source == "argument" else source

    if otlp.protocol == "http/protobuf":
        _check_url(otlp.endpoint, "otlp_endpoint", at("otlp_endpoint"))
    elif otlp.compression == "deflate":
        raise ConfigurationError("none or gzip with grpc", "'deflate'", at("otlp_compression"), "Use gzip.")
    for name in ("certificate", "client_key", "client_certificate"):
        _check_readable(getattr(otlp, name), at(f"otlp_{name}"))
    _check_pair(otlp.client_certificate, otlp.client_key, "otlp_client_certificate", "otlp_client_key", at)


def _check_prometheus(settings: Settings) -> None:
    def at(name: str) -> str:
        return where(settings, name)

    certificate, key = settings.prometheus_tls_certificate, settings.prometheus_tls_key
    _check_pair(certificate, key, "prometheus_tls_certificate", "prometheus_tls_key", at)
    for name in ("prometheus_tls_certificate", "prometheus_tls_key", "prometheus_tls_client_ca"):
        _check_readable(getattr(settings, name), at(name))
    if settings.prometheus_tls_client_ca and not certificate:
        raise ConfigurationError(
            "prometheus_tls_certificate and prometheus_tls_key beside it",
            "neither",
            at("prometheus_tls_client_ca"),
            "Clients can be asked for a certificate over TLS only: set both.",
        )
    user_and_password = settings.prometheus_basic_auth
    if user_and_password and ":" not in user_and_password:
        raise ConfigurationError("user:password", MASK, at("prometheus_basic_auth"), "Put a colon between the two.")
    if user_and_password and settings.prometheus_bearer_token:
        raise ConfigurationError(
            "prometheus_basic_auth or prometheus_bearer_token",
            "both",
            f"{at('prometheus_basic_auth')} and {at('prometheus_bearer_token')}",
            "Leave one out.",
        )


def _check_pair(
    first: str | None, second: str | None, first_name: str, second_name: str, at: Callable[[str], str]
) -> None:
    if bool(first) == bool(second):
        return
    there, missing = (first_name, second_name) if first else (second_name, first_name)
    raise ConfigurationError(
        f"{missing} beside {there}", "none", at(there), f"Set {missing} too, or leave {there} out."
    )


def _check_readable(path: str | None, at: str) -> None:
    if path is None:
        return
    try:
        with open(path, "rb"):
            pass
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(
            "a readable file", f"{path!r}: {reason}", at, "Correct the path or its rights."
        ) from None


def _check_url(url: str, name: str, at: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good:
        got = shown(settings_by_name()[name], url)
        raise ConfigurationError(
            "a URL with http:// or https:// and a host", got, at, "For example http://collector:4318."
        )
