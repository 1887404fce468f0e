# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""promtool on the rules: each alert fires when it should, with its texts, and is quiet when it should be."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from otelkit.config import load
from otelkit.rules.alerts import ALERTS
from otelkit.rules.rules_yaml import rendered
from otelkit.rules.thresholds import configured

pytestmark = pytest.mark.promtool

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "collector-config" / "rules"
PROMTOOL = ROOT / ".cache" / "promtool"
BY_NAME = {alert.name: alert for alert in ALERTS}
GRAFANA = "http://localhost:3000/d/"

Values = dict[str, str]
"""promtool's notation: `0+60x20` is 0, 60, ... 1200, `_` no sample, one value a minute (or an hour)."""


@dataclass(frozen=True)
class Fires:
    """
    What must make an alert fire.

    Args:
        values: Of the series.
        at: When it is looked at.
        labels: That the alert then has.
        summary: Its text.
        page: The dashboard that it leads to.
        interval: Between two values.
    """

    alert: str
    values: Values
    at: str
    labels: dict[str, str]
    summary: str
    page: str
    interval: str = "1m"


@dataclass(frozen=True)
class Quiet:
    """What must not make an alert fire, and why one might think it does."""

    alert: str
    why: str
    values: Values
    at: str
    interval: str = "1m"


SHOP = 'job="shop",instance="a",service="Shop",action="get"'
MODEL = 'job="ml",instance="a",inference_engine="torch",inference_model="m/1",inference_warmup="false"'
CHIP = 'job="ml",instance="a",hw_id="GPU-1",hw_name="H200",hw_sensor_location="gpu"'
CHIP_SEEN_BY_ANOTHER = CHIP.replace('instance="a"', 'instance="b"')
CHIP_MEMORY = CHIP.replace('="gpu"', '="memory"')
HOST = 'job="shop",instance="a b"'
COLLECTOR = 'job="telemetry",instance="gateway:8890",exporter="otlp_grpc/traces"'
JOB = 'job="shop",instance="a",job_name="clean up"'
EXPORTS = 'job="shop",instance="a",otelkit_exporter="otlp"'
DROPS = 'job="shop",instance="a",otelkit_metric="spans",otelkit_reason="queue full"'


def response_times(upper: str, rise: str) -> Values:
    """Buckets of which all requests fall into the one up to `upper` seconds."""
    found = {}
    for bound in ("0.5", "1", "2.5", "+Inf"):
        reached = float(bound.replace("+Inf", "inf")) >= float(upper)
        found[f'service_response_time_seconds_bucket{{{SHOP},le="{bound}"}}'] = rise if reached else "0x60"
    return found


FIRES = [
    Fires(
        "HighErrorRate",
        {
            f"service_requests_total{{{SHOP}}}": "0+60x20",
            f'service_errors_total{{{SHOP},error_type="KeyError"}}': "0+6x20",
        },
        "12m",
        {"job": "shop", "service": "Shop"},
        "Shop of shop: 10% of the requests fail",
        "otelkit-services?var-service=shop",
    ),
    Fires(
        "HighErrorRate",
        {
            f"api_gateway_service_requests_total{{{SHOP}}}": "0+60x20",
            f'api_gateway_service_errors_total{{{SHOP},error_type="KeyError"}}': "0+60x20",
        },
        "12m",
        {"job": "shop", "service": "Shop"},
        "Shop of shop: 100% of the requests fail",
        "otelkit-services?var-service=shop",
    ),
    Fires(
        "HighLatency",
        response_times("2.5", "0+60x60"),
        "20m",
        {"job": "shop", "service": "Shop", "action": "get"},
        "Shop.get of shop: p95 is 2.425s",
        "otelkit-services?var-service=shop&var-action=get",
    ),
    Fires(
        "LowThroughput",
        {f"service_requests_total{{{SHOP}}}": "0+60x10 600x40"},
        "40m",
        {"job": "shop", "service": "Shop"},
        "Shop of shop: 0 requests a second",
        "otelkit-services?var-service=shop",
    ),
    Fires(
        "LowCacheHitRate",
        {
            f"inference_cache_hits_total{{{MODEL}}}": "0+1x40",
            f"inference_cache_misses_total{{{MODEL}}}": "0+3x40",
        },
        "25m",
        {"job": "ml", "inference_engine": "torch", "inference_model": "m/1"},
        "m/1 of ml: 25% of the look-ups hit",
        "otelkit-inference?var-service=ml&var-model=m%2F1",
    ),
    Fires(
        "LowCacheHitRate",
        {f"inference_cache_misses_total{{{MODEL}}}": "0+3x40"},
        "25m",
        {"job": "ml", "inference_engine": "torch", "inference_model": "m/1"},
        "m/1 of ml: 0% of the look-ups hit",
        "otelkit-inference?var-service=ml&var-model=m%2F1",
    ),
    Fires(
        "HighGPUTemperature",
        {
            f"hw_temperature_celsius{{{CHIP}}}": "86x20",
            f"hw_temperature_celsius{{{CHIP_SEEN_BY_ANOTHER}}}": "87x20",
        },
        "6m",
        {"hw_id": "GPU-1", "hw_name": "H200"},
        "H200 has 87 °C",
        "otelkit-gpu?var-gpu=GPU-1",
    ),
    Fires(
        "LowMemory",
        {
            f"system_memory_linux_available_bytes{{{HOST}}}": "5000000000x20",
            f"system_memory_limit_bytes{{{HOST}}}": "100000000000x20",
        },
        "6m",
        {"job": "shop", "instance": "a b"},
        "5% of the memory is left where shop runs",
        "otelkit-system?var-service=shop&var-instance=a+b",
    ),
    Fires(
        "CrashLoop",
        {f"process_uptime_seconds{{{HOST}}}": "600 660 5 65 5 65 5 65 5 65 125"},
        "10m",
        {"job": "shop"},
        "shop started anew 4 times in a quarter of an hour",
        "otelkit-system?var-service=shop",
    ),
    Fires(
        "CrashLoop",
        {f'process_uptime_seconds{{job="shop",instance="{number}"}}': "30 _x20" for number in range(5)},
        "10m",
        {"job": "shop"},
        "shop started anew 5 times in a quarter of an hour",
        "otelkit-system?var-service=shop",
    ),
    Fires(
        "JobNotSuccessful",
        {f"job_last_success_seconds{{{JOB}}}": "0x30"},
        "25h",
        {"job": "shop", "job_name": "clean up"},
        "clean up of shop last succeeded 1d 1h 0m 0s ago",
        "otelkit-jobs?var-service=shop&var-job=clean+up",
        interval="1h",
    ),
    Fires(
        "JobNotSuccessful",
        {f"job_last_success_seconds{{{JOB}}}": "0 _x40"},
        "25h",
        {"job": "shop", "job_name": "clean up"},
        "clean up of shop last succeeded 1d 1h 0m 0s ago",
        "otelkit-jobs?var-service=shop&var-job=clean+up",
        interval="1h",
    ),
    Fires(
        "TelemetryExportFails",
        {
            f'otelkit_exports_total{{{EXPORTS},otelkit_outcome="success"}}': "0+1x30",
            f'otelkit_exports_total{{{EXPORTS},otelkit_outcome="failure"}}': "0+3x30",
        },
        "20m",
        {"job": "shop", "otelkit_exporter": "otlp"},
        "shop: 75% of the exports by otlp fail",
        "otelkit-system?var-service=shop",
    ),
    Fires(
        "TelemetryDropped",
        {f"otelkit_dropped_total{{{DROPS}}}": "0+120x30"},
        "20m",
        {"job": "shop", "otelkit_metric": "spans", "otelkit_reason": "queue full"},
        "shop drops 2 items a second of spans",
        "otelkit-system?var-service=shop",
    ),
    Fires(
        "TelemetrySilent",
        {f"process_uptime_seconds{{{HOST}}}": "0+60x30 _x60"},
        "45m",
        {"job": "shop"},
        "shop has stopped reporting",
        "otelkit-system?var-service=shop",
    ),
    Fires(
        "TelemetryTargetDown",
        {f"up{{{HOST}}}": "1 1 0x20"},
        "8m",
        {"job": "shop", "instance": "a b"},
        "shop at a b cannot be scraped",
        "otelkit-system",
    ),
    Fires(
        "CollectorQueueFills",
        {
            f"otelcol_exporter_queue_size{{{COLLECTOR}}}": "0+100x9 900x20",
            f"otelcol_exporter_queue_capacity{{{COLLECTOR}}}": "1000x20",
        },
        "15m",
        {"job": "telemetry", "instance": "gateway:8890", "exporter": "otlp_grpc/traces"},
        "otlp_grpc/traces at gateway:8890: the queue is 90% full",
        "otelkit-system",
    ),
    *(
        Fires(
            "CollectorLoses",
            {f"otelcol_exporter_{name}{{{COLLECTOR}}}": "0+60x30"},
            "12m",
            {"job": "telemetry", "instance": "gateway:8890", "exporter": "otlp_grpc/traces"},
            "otlp_grpc/traces at gateway:8890 loses 1 items a second",
            "otelkit-system",
        )
        for name in ("send_failed_spans", "send_failed_metric_points_total", "enqueue_failed_log_records")
    ),
]

QUIET = [
    Quiet(
        "HighErrorRate",
        "few fail",
        {f"service_requests_total{{{SHOP}}}": "0+60x20", f"service_errors_total{{{SHOP}}}": "0+2x20"},
        "12m",
    ),
    Quiet(
        "HighErrorRate",
        "none fails, so there is no such series",
        {f"service_requests_total{{{SHOP}}}": "0+60x20"},
        "12m",
    ),
    Quiet(
        "HighErrorRate",
        "nobody asks any more: no share of nothing",
        {f"service_requests_total{{{SHOP}}}": "60x30", f"service_errors_total{{{SHOP}}}": "60x30"},
        "20m",
    ),
    Quiet(
        "HighErrorRate",
        "not long enough",
        {
            f"service_requests_total{{{SHOP}}}": "0+60x30",
            f"service_errors_total{{{SHOP}}}": "0x10 0+60x30",
        },
        "14m",
    ),
    Quiet("HighLatency", "all are quick", response_times("0.5", "0+60x60"), "20m"),
    Quiet("HighLatency", "slow, but not long enough", response_times("2.5", "0+60x60"), "9m"),
    Quiet("LowThroughput", "one a minute suffices", {f"service_requests_total{{{SHOP}}}": "0+1x40"}, "40m"),
    Quiet(
        "LowThroughput", "idle for ten minutes only", {f"service_requests_total{{{SHOP}}}": "0+60x20 1200x12"}, "32m"
    ),
    Quiet(
        "LowCacheHitRate",
        "most hit",
        {f"inference_cache_hits_total{{{MODEL}}}": "0+3x40", f"inference_cache_misses_total{{{MODEL}}}": "0+1x40"},
        "25m",
    ),
    Quiet("LowCacheHitRate", "all hit", {f"inference_cache_hits_total{{{MODEL}}}": "0+3x40"}, "25m"),
    Quiet(
        "LowCacheHitRate",
        "nobody looks up",
        {f"inference_cache_hits_total{{{MODEL}}}": "3x40", f"inference_cache_misses_total{{{MODEL}}}": "9x40"},
        "25m",
    ),
    Quiet(
        "LowCacheHitRate",
        "a warm-up fills the cache",
        {f"inference_cache_misses_total{{{MODEL.replace('false', 'true')}}}": "0+3x40"},
        "25m",
    ),
    Quiet("HighGPUTemperature", "exactly at the threshold", {f"hw_temperature_celsius{{{CHIP}}}": "85x20"}, "15m"),
    Quiet("HighGPUTemperature", "hot for four minutes", {f"hw_temperature_celsius{{{CHIP}}}": "95x4 80x20"}, "6m"),
    Quiet(
        "HighGPUTemperature",
        "memory may be hotter",
        {f"hw_temperature_celsius{{{CHIP_MEMORY}}}": "95x20"},
        "15m",
    ),
    Quiet(
        "LowMemory",
        "enough is left",
        {
            f"system_memory_linux_available_bytes{{{HOST}}}": "11000000000x20",
            f"system_memory_limit_bytes{{{HOST}}}": "100000000000x20",
        },
        "15m",
    ),
    Quiet(
        "CrashLoop",
        "a restart or two",
        {f"process_uptime_seconds{{{HOST}}}": "600 660 5 65 5 65 125 185 245 305 365"},
        "10m",
    ),
    Quiet(
        "CrashLoop",
        "ten new processes that stay",
        {f'process_uptime_seconds{{job="shop",instance="{number}"}}': "5+60x20" for number in range(10)},
        "12m",
    ),
    Quiet(
        "CrashLoop",
        "ten new processes, all still there",
        {f'process_uptime_seconds{{job="shop",instance="{number}"}}': "5+60x20" for number in range(10)},
        "1m",
    ),
    Quiet(
        "CrashLoop",
        "ten processes that end after an hour",
        {f'process_uptime_seconds{{job="shop",instance="{number}"}}': "3000+60x3 _x20" for number in range(10)},
        "12m",
    ),
    Quiet(
        "JobNotSuccessful", "it succeeds every hour", {f"job_last_success_seconds{{{JOB}}}": "0+3600x30"}, "30h", "1h"
    ),
    Quiet("JobNotSuccessful", "23 hours are not too long", {f"job_last_success_seconds{{{JOB}}}": "0x30"}, "23h", "1h"),
    Quiet(
        "TelemetryExportFails",
        "one in 31",
        {
            f'otelkit_exports_total{{{EXPORTS},otelkit_outcome="success"}}': "0+30x30",
            f'otelkit_exports_total{{{EXPORTS},otelkit_outcome="failure"}}': "0+1x30",
        },
        "20m",
    ),
    Quiet(
        "TelemetryExportFails",
        "none has failed ever",
        {f'otelkit_exports_total{{{EXPORTS},otelkit_outcome="success"}}': "0+30x30"},
        "20m",
    ),
    Quiet("TelemetryDropped", "long ago", {f"otelkit_dropped_total{{{DROPS}}}": "100x30"}, "20m"),
    Quiet("TelemetrySilent", "it reports", {f"process_uptime_seconds{{{HOST}}}": "0+60x60"}, "45m"),
    Quiet("TelemetrySilent", "it was brief", {f"process_uptime_seconds{{{HOST}}}": "0+60x10 _x60"}, "30m"),
    Quiet("TelemetrySilent", "given up after an hour", {f"process_uptime_seconds{{{HOST}}}": "0+60x30 _x90"}, "95m"),
    Quiet(
        "TelemetrySilent",
        "another process has taken over",
        {
            'process_uptime_seconds{job="shop",instance="a"}': "0+60x30 _x60",
            'process_uptime_seconds{job="shop",instance="b"}': "_x30 0+60x60",
        },
        "45m",
    ),
    Quiet(
        "CollectorQueueFills",
        "half full",
        {
            f"otelcol_exporter_queue_size{{{COLLECTOR}}}": "500x20",
            f"otelcol_exporter_queue_capacity{{{COLLECTOR}}}": "1000x20",
        },
        "15m",
    ),
    Quiet(
        "CollectorQueueFills",
        "full for a moment",
        {
            f"otelcol_exporter_queue_size{{{COLLECTOR}}}": "0x5 1000x2 0x20",
            f"otelcol_exporter_queue_capacity{{{COLLECTOR}}}": "1000x30",
        },
        "11m",
    ),
    Quiet("CollectorLoses", "long ago", {f"otelcol_exporter_send_failed_spans{{{COLLECTOR}}}": "500x30"}, "15m"),
    Quiet("TelemetryTargetDown", "it answers", {f"up{{{HOST}}}": "1x20"}, "15m"),
    Quiet("TelemetryTargetDown", "it was restarted", {f"up{{{HOST}}}": "1 0 0 0 1x20"}, "10m"),
]


def check(folder: Path, rules: dict[str, str], case: Fires | Quiet, expected: list[dict[str, Any]]) -> None:
    """Let promtool play the case with the rules."""
    assert PROMTOOL.exists(), f"{PROMTOOL} is missing: run make test-promtool, which builds it"
    for name, text in rules.items():
        (folder / name).write_text(text)
    asked = {"eval_time": case.at, "alertname": case.alert, "exp_alerts": expected}
    series = [{"series": name, "values": values} for name, values in case.values.items()]
    test = {"interval": case.interval, "input_series": series, "alert_rule_test": [asked]}
    step = "1m" if case.interval == "1m" else "5m"
    groups = ["otelkit-recordings", "otelkit-alerts"]
    script = {"rule_files": sorted(rules), "evaluation_interval": step, "group_eval_order": groups, "tests": [test]}
    (folder / "test.yaml").write_text(yaml.safe_dump(script, sort_keys=False))
    done = subprocess.run(
        [str(PROMTOOL), "test", "rules", "test.yaml"], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def expected_of(case: Fires) -> dict[str, Any]:
    """Return what promtool must find: labels and every annotation."""
    alert = BY_NAME[case.alert]
    description = re.sub(r"{{ \$labels\.(\w+) }}", lambda found: case.labels[found[1]], alert.description)
    texts = {
        "summary": case.summary,
        "description": description.replace("THRESHOLD", alert.threshold_text(alert.threshold)),
        "dashboard": GRAFANA + case.page,
    }
    return {"exp_labels": {**case.labels, "severity": alert.severity}, "exp_annotations": texts}


@pytest.mark.parametrize("case", FIRES, ids=lambda case: f"{case.alert}-{next(iter(case.values))}")
def test_an_alert_fires(tmp_path: Path, case: Fires) -> None:
    """With its labels, its texts and the way to its dashboard."""
    check(tmp_path, rendered(), case, [expected_of(case)])


@pytest.mark.parametrize("case", QUIET, ids=lambda case: f"{case.alert}-{case.why}")
def test_an_alert_is_quiet(tmp_path: Path, case: Quiet) -> None:
    """What looks like it and is not."""
    check(tmp_path, rendered(), case, [])


def test_every_alert_is_tried_both_ways() -> None:
    """None is forgotten when one is added."""
    assert {case.alert for case in FIRES} == {case.alert for case in QUIET} == set(BY_NAME)


def test_a_threshold_moves_where_it_fires(tmp_path: Path) -> None:
    """The same values, with a higher threshold and with a longer delay: quiet."""
    (case,) = [each for each in FIRES if each.alert == "HighGPUTemperature"]
    check(tmp_path, rendered(), case, [expected_of(case)])
    higher = configured(load("/dev/null", {}, alert_thresholds={"HighGPUTemperature": 90}))
    check(tmp_path, rendered(higher), case, [])
    later = configured(load("/dev/null", {}, alert_delays_s={"HighGPUTemperature": 600}))
    check(tmp_path, rendered(later), case, [])


def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    """Syntax, templates, and its linter."""
    files = [str(path) for path in sorted(COMMITTED.iterdir())]
    command = [str(PROMTOOL), "check", "rules", "--lint=all", "--lint-fatal", *files]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
