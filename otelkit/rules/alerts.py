# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The alert rules."""

from __future__ import annotations

from otelkit import semconv
from otelkit.dashboards.gpu import GPU, HIGH_CELSIUS
from otelkit.dashboards.inference import INFERENCE, LOW_HIT_SHARE
from otelkit.dashboards.jobs import JOBS
from otelkit.dashboards.promql import PROCESS, PROGRAM, label, rate, series, total
from otelkit.dashboards.services import SERVICES
from otelkit.dashboards.system import LOW_MEMORY, SYSTEM
from otelkit.rules import recordings
from otelkit.rules.rule import Alert

__all__ = ("ALERTS",)

_BRIEF_S = 120
"""A process that never was seen older than this did not come up for good."""
_WORKED_S = 900
"""A process that was seen older than this was meant to stay."""

_service = ("service", PROGRAM)
_instance = ("instance", PROCESS)
_by_service = (PROGRAM, semconv.SERVICE)
_uptime = semconv.PROCESS_UPTIME


def _error_share(threshold: float) -> str:
    failed, all_of_them = (
        total(each.name, *_by_service) for each in (recordings.SERVICE_ERRORS, recordings.SERVICE_REQUESTS)
    )
    return f"{failed} / {all_of_them} > {threshold:.15g}"


def _throughput(threshold: float) -> str:
    return f"{total(recordings.SERVICE_REQUESTS.name, *_by_service)} < {threshold:.15g}"


def _temperature(threshold: float) -> str:
    chip = series(semconv.HW_TEMPERATURE, f'{label(semconv.HW_SENSOR_LOCATION)}="gpu"')
    return f"{total(chip, semconv.HW_ID, semconv.HW_NAME, how='max')} > {threshold:.15g}"


def _crashes(threshold: float) -> str:
    seen = f"{series(_uptime)}[15m]"
    # Started anew under the same name (a scraped address, a set service.instance.id), or as processes with names of
    # their own that were gone soon.
    again = total(f"resets({seen})", PROGRAM)
    gone = total(f"(max_over_time({seen}) < {_BRIEF_S}) unless {series(_uptime)}", PROGRAM, how="count")
    return f"{again} > {threshold:.15g} or {gone} > {threshold:.15g}"


def _not_successful(threshold: float) -> str:
    # What ends after each success is remembered for a while: otherwise nothing would be there to fire.
    last = f"max_over_time({series(semconv.JOB_LAST_SUCCESS)}[{_seconds(7 * threshold)}])"
    return f"time() - {total(last, PROGRAM, semconv.JOB, how='max')} > {threshold:.15g}"


def _dropped(threshold: float) -> str:
    dropped = rate(semconv.DROPPED, window="5m")
    return f"{total(dropped, PROGRAM, semconv.METRIC, semconv.REASON)} > {threshold:.15g}"


def _silent(threshold: float) -> str:
    before = f"max_over_time({series(_uptime)}[{_seconds(threshold)}]) > {_WORKED_S}"
    return f"{total(before, PROGRAM, how='group')} unless {total(series(_uptime), PROGRAM, how='group')}"


def _queue(threshold: float) -> str:
    return f"otelcol_exporter_queue_size / otelcol_exporter_queue_capacity > {threshold:.15g}"


def _lost(threshold: float) -> str:
    # One by one: spans and points have the same labels, and a Collector's names end in _total or not.
    names = [
        f"otelcol_exporter_{what}_failed_{items}"
        for what in ("send", "enqueue")
        for items in ("spans", "metric_points", "log_records")
    ]
    each = [
        total(f'rate({{__name__=~"{name}(_total)?"}}[5m])', PROGRAM, PROCESS, "exporter") + f" > {threshold:.15g}"
        for name in names
    ]
    return " or ".join(each)


def _seconds(seconds: float) -> str:
    return f"{max(1, round(seconds))}s"


ALERTS = (
    Alert(
        "HighErrorRate", _error_share, 0.05, "share", 300, "critical",
        "{{ $labels.service }} of {{ $labels.job }}: {{ $value | humanizePercentage }} of the requests fail",
        "More than THRESHOLD of its requests failed over five minutes. The dashboard shows which actions, and with "
        "which errors.",
        SERVICES, (_service,),
        "more of a service's requests fail than the threshold",
    ),
    Alert(
        "HighLatency", lambda threshold: f"{recordings.SERVICE_P95.name} > {threshold:.15g}", 1.0, "s", 600, "warning",
        "{{ $labels.service }}.{{ $labels.action }} of {{ $labels.job }}: p95 is {{ $value | humanizeDuration }}",
        "Five of 100 requests take longer than THRESHOLD. The dashboard's points lead to the traces of slow requests.",
        SERVICES, (_service, ("action", semconv.ACTION)),
        "the response time that 95 of 100 requests to an action do not exceed is above the threshold",
    ),
    Alert(
        "LowThroughput", _throughput, 0.01, "requests/s", 900, "warning",
        "{{ $labels.service }} of {{ $labels.job }}: {{ $value | humanize }} requests a second",
        "Fewer than THRESHOLD arrive: nobody asks any more, or nothing gets through to it.",
        SERVICES, (_service,),
        "fewer requests reach a service than the threshold; 0 turns it off for services that may idle",
    ),
    Alert(
        "LowCacheHitRate", lambda threshold: f"{recordings.CACHE_HIT_SHARE.name} < {threshold:.15g}", LOW_HIT_SHARE,
        "share", 900, "warning",
        "{{ $labels.inference_model }} of {{ $labels.job }}: {{ $value | humanizePercentage }} of the look-ups hit",
        "Its cache answers less than THRESHOLD of the look-ups: too small, or its keys changed.",
        INFERENCE, (_service, ("model", label(semconv.INFERENCE_MODEL))),
        "a model's cache answers a smaller share of the look-ups than the threshold",
    ),
    Alert(
        "HighGPUTemperature", _temperature, HIGH_CELSIUS, "°C", 300, "critical",
        "{{ $labels.hw_name }} has {{ $value }} °C",
        "The GPU {{ $labels.hw_id }} is hotter than THRESHOLD. It will slow down, then switch off: look at its fans, "
        "its power and what runs on it.",
        GPU, (("gpu", label(semconv.HW_ID)),),
        "a GPU's chip is hotter than the threshold",
    ),
    Alert(
        "LowMemory", lambda threshold: f"{recordings.MEMORY_AVAILABLE.name} < {threshold:.15g}", LOW_MEMORY, "share",
        300, "critical",
        "{{ $value | humanizePercentage }} of the memory is left where {{ $labels.job }} runs",
        "The machine of {{ $labels.instance }} has less than THRESHOLD of its memory left. What comes next is the "
        "kernel's out-of-memory killer.",
        SYSTEM, (_service, _instance),
        "a smaller share of a machine's memory is available than the threshold",
    ),
    Alert(
        "CrashLoop", _crashes, 3, "", 0, "critical",
        "{{ $labels.job }} started anew {{ $value }} times in a quarter of an hour",
        "Its processes were started anew more than THRESHOLD times and did not stay: they crash, or are ended. "
        "Processes that die before their first export are not seen.",
        SYSTEM, (_service,),
        "a program's processes were started anew more often in 15 minutes than the threshold, and did not stay. "
        "Programs that are meant to be brief count as well: raise it for those",
    ),
    Alert(
        "JobNotSuccessful", _not_successful, 86_400, "s", 300, "warning",
        "{{ $labels.job_name }} of {{ $labels.job }} last succeeded {{ $value | humanizeDuration }} ago",
        "No run has succeeded for longer than THRESHOLD: it fails each time, hangs, or is not started any more.",
        JOBS, (_service, ("job", label(semconv.JOB))),
        "a background job last succeeded longer ago than the threshold. A job that never did has nothing to be "
        "compared with",
    ),
    Alert(
        "TelemetryExportFails", lambda threshold: f"{recordings.FAILED_EXPORTS.name} > {threshold:.15g}", 0.1, "share",
        600, "warning",
        "{{ $labels.job }}: {{ $value | humanizePercentage }} of the exports by {{ $labels.otelkit_exporter }} fail",
        "More than THRESHOLD of its exports of telemetry do not succeed: the receiver is down, refuses or is slow.",
        SYSTEM, (_service,),
        "more of a program's exports of telemetry fail than the threshold, as long as others still arrive",
    ),
    Alert(
        "TelemetryDropped", _dropped, 0.0, "items/s", 600, "warning",
        "{{ $labels.job }} drops {{ $value | humanize }} items a second of {{ $labels.otelkit_metric }}",
        "otelkit has to drop what it cannot deliver or keep ({{ $labels.otelkit_reason }}): more than THRESHOLD.",
        SYSTEM, (_service,),
        "otelkit drops more than the threshold, all the time",
    ),
    Alert(
        "TelemetrySilent", _silent, 3_600, "s", 300, "critical",
        "{{ $labels.job }} has stopped reporting",
        "It ran for more than a quarter of an hour, reported within the last THRESHOLD, and does not any more: it "
        "ended, or nothing of what it sends arrives.",
        SYSTEM, (_service,),
        "a program that ran for a quarter of an hour has not been heard of for 10 minutes, and was heard of within the "
        "threshold. Who ends a program on purpose hears of it as well, for that long",
    ),
    Alert(
        "TelemetryTargetDown", lambda threshold: f"up < {threshold:.15g}", 1, "", 300, "critical",
        "{{ $labels.job }} at {{ $labels.instance }} cannot be scraped",
        "Prometheus gets no page from there: a Collector, or a program with a /metrics of its own, is down or cannot "
        "be reached.",
        SYSTEM, (),
        "Prometheus cannot scrape a target; with a Collector behind it, all that it would tell is missing",
    ),
    Alert(
        "CollectorQueueFills", _queue, 0.8, "share", 300, "warning",
        "{{ $labels.exporter }} at {{ $labels.instance }}: the queue is {{ $value | humanizePercentage }} full",
        "More than THRESHOLD of a Collector's queue is taken: what it sends to is down, refuses or is slow. A full "
        "queue refuses, and programs begin to keep and then to drop.",
        SYSTEM, (),
        "a Collector's queue of what waits to be sent is fuller than the threshold",
    ),
    Alert(
        "CollectorLoses", _lost, 0.0, "items/s", 300, "critical",
        "{{ $labels.exporter }} at {{ $labels.instance }} loses {{ $value | humanize }} items a second",
        "A Collector gives up more than THRESHOLD: spans, points or records that it could neither send nor keep.",
        SYSTEM, (),
        "a Collector could neither send nor queue something, all the time",
    ),
)  # fmt: skip
"""In the order of the docs."""
