# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What a running program says about itself on its page of metrics."""

from __future__ import annotations

import http.client

from otelkit import semconv
from otelkit.cli._findings import Finding, Status
from otelkit.cli._scrape_port import serves_otelkit
from otelkit.cli._scraped import Scraped, scrape
from otelkit.cli._wire import Target
from otelkit.config import Settings
from otelkit.exporters._prometheus_names import label_name
from otelkit.masking import Masker

__all__ = ("check", "check_configured")

SECTION = "Running program"
_NEARLY_FULL = 0.8
_EXAMPLE_CHARACTERS = 60

_METRIC, _LABEL, _REASON = map(label_name, (semconv.METRIC, semconv.LABEL, semconv.REASON))
_EXPORTER, _OUTCOME, _WHERE = map(label_name, (semconv.EXPORTER, semconv.OUTCOME, semconv.WHERE))


def check(url: str, settings: Settings | None) -> list[Finding]:
    """Ask the program whose page is at ``url`` what it dropped, which label exploded, and what otelkit costs it."""
    shown = Masker().text(url)
    try:
        page = scrape(url, settings)
    except (OSError, ValueError, http.client.HTTPException) as error:
        text = f"{shown}: no page of metrics: {error or type(error).__name__}."
        fix = "Give the URL of the program's /metrics, for example --url http://localhost:9464/metrics."
        return [Finding(SECTION, "running.page", Status.BROKEN, text, fix)]
    series = sum(len(family.samples) for family in page.families)
    first = Finding(
        SECTION, "running.page", Status.OK, f"{shown}: {len(page.families)} metrics, {series} lines on the page."
    )
    found = [*_overflows(page), *_drops(page), *_failures(page), *_exports(page), *_queues(page), *_cpu(page)]
    return [first, *found]


def check_configured(settings: Settings | None) -> list[Finding]:
    """Ask the program that serves the configured port, if one does."""
    if settings is None or not settings.enabled or not settings.metrics_enabled or not settings.prometheus_port:
        return []
    if "prometheus" not in settings.metrics_exporters or not serves_otelkit(settings):
        return []
    scheme = "https" if settings.prometheus_tls_certificate else "http"
    return check(f"{scheme}://{Target(settings.prometheus_host, settings.prometheus_port)}/metrics", settings)


def _overflows(page: Scraped) -> list[Finding]:
    findings = []
    for _, labels, observations in page.samples(semconv.OVERFLOWED):
        metric, label = labels.get(_METRIC, "?"), labels.get(_LABEL, "?")
        values = page.values(metric, label)
        example = f", such as {min(values)[:_EXAMPLE_CHARACTERS]!r}" if values else ""
        findings.append(
            Finding(
                SECTION,
                "running.overflow",
                Status.WARNING,
                f"{metric} has too many label sets: {observations:,.0f} observations went to its overflow series. "
                f"The label that explodes is {label!r}: {len(values):,} values{example}.",
                f'In otelkit.toml: [metrics."{metric}"] drop_labels = ["{label}"], or hash_labels = ["{label}"], or '
                "raise cardinality_limit.",
            )
        )
    return findings


def _drops(page: Scraped) -> list[Finding]:
    return [
        Finding(
            SECTION,
            "running.dropped",
            Status.WARNING,
            f"{items:,.0f} dropped of {labels.get(_METRIC, '?')}: {labels.get(_REASON, '?')}.",
        )
        for _, labels, items in page.samples(semconv.DROPPED)
        if items
    ]


def _failures(page: Scraped) -> list[Finding]:
    return [
        Finding(
            SECTION,
            "running.failures",
            Status.WARNING,
            f"{failures:,.0f} failures in {labels.get(_WHERE, '?')}: {labels.get('error_type', '?')}.",
            "The program's log has the message, once a minute, from the logger otelkit.",
        )
        for _, labels, failures in page.samples(semconv.FAILURES)
        if failures
    ]


def _exports(page: Scraped) -> list[Finding]:
    outcomes: dict[str, dict[str, float]] = {}
    for _, labels, exports in page.samples(semconv.EXPORTS):
        outcomes.setdefault(labels.get(_EXPORTER, "?"), {})[labels.get(_OUTCOME, "?")] = exports
    findings = []
    for exporter, counts in outcomes.items():
        said = ", ".join(f"{count:,.0f} {outcome}" for outcome, count in sorted(counts.items()))
        good = set(counts) <= {"success"}
        status = Status.OK if good else Status.WARNING
        fix = "" if good else "The endpoint's own check above, and the program's log, say why."
        findings.append(Finding(SECTION, "running.exports", status, f"Exports to {exporter}: {said}.", fix))
    return findings


def _queues(page: Scraped) -> list[Finding]:
    limits = {labels.get(_EXPORTER): limit for _, labels, limit in page.samples(semconv.SPAN_QUEUE_LIMIT)}
    return [
        Finding(
            SECTION,
            "running.span_queue",
            Status.WARNING,
            f"The queue of spans for {labels.get(_EXPORTER)} is nearly full: {waiting:.0f} of {limit:.0f}.",
            "Sample less, or raise span_queue_size.",
        )
        for _, labels, waiting in page.samples(semconv.SPAN_QUEUE_SIZE)
        for limit in [limits.get(labels.get(_EXPORTER), 0.0)]
        if limit and waiting >= _NEARLY_FULL * limit
    ]


def _cpu(page: Scraped) -> list[Finding]:
    own, all_of_it = page.total(semconv.CPU_TIME), page.total(semconv.PROCESS_CPU_TIME)
    if not own or not all_of_it:
        return []
    text = (
        f"Collecting and exporting took otelkit's threads {own:.2f} of the program's {all_of_it:.1f} CPU seconds "
        f"({own / all_of_it:.2%})."
    )
    return [Finding(SECTION, "running.cpu", Status.OK, text)]
