# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Names equal the Collector's: the known cases of prometheus/otlptranslator, and the vocabulary's own."""

import pytest

from otelkit._core._snapshot import Kind, Metric
from otelkit.exporters._prometheus_names import label_name, metric_name, unit_name

# metric_namer_test.go at 51da773: the cases with suffixes and without UTF-8 or namespace.
CASES = [
    ("requests", "", Kind.COUNTER, "requests_total", ""),
    ("cpu_usage", "1", Kind.GAUGE, "cpu_usage_ratio", ""),
    ("items", "1", Kind.COUNTER, "items_total", ""),
    ("response_time", "ms", Kind.GAUGE, "response_time_milliseconds", "milliseconds"),
    ("memory_usage", "By", Kind.GAUGE, "memory_usage_bytes", "bytes"),
    ("requests", "1/s", Kind.GAUGE, "requests_per_second", "per_second"),
    ("throughput", "By/s", Kind.GAUGE, "throughput_bytes_per_second", "bytes_per_second"),
    ("custom_metric", "custom_unit", Kind.GAUGE, "custom_metric_custom_unit", "custom_unit"),
    ("custom_metric", "{custom}", Kind.GAUGE, "custom_metric", ""),
    ("custom_metric", "By/{custom}", Kind.GAUGE, "custom_metric_bytes", "bytes"),
    ("requests_total", "", Kind.COUNTER, "requests_total", ""),
    ("cpu_usage_ratio", "1", Kind.GAUGE, "cpu_usage_ratio", ""),
    ("response_time_seconds", "s", Kind.GAUGE, "response_time_seconds", "seconds"),
    (
        "metric__with__multiple__underscores",
        "unit__multiple__underscores",
        Kind.GAUGE,
        "metric_with_multiple_underscores_unit_multiple_underscores",
        "unit_multiple_underscores",
    ),
    (
        "custom_metric",
        "unit@with#special/chars",
        Kind.GAUGE,
        "custom_metric_unit_with_special_per_chars",
        "unit_with_special_per_chars",
    ),
    ("request_duration", "s", Kind.HISTOGRAM, "request_duration_seconds", "seconds"),
    ("request_size", "By", Kind.EXPONENTIAL_HISTOGRAM, "request_size_bytes", "bytes"),
    ("response_time", "ms", Kind.SUMMARY, "response_time_milliseconds", "milliseconds"),
    ("active_connections", "", Kind.UP_DOWN_COUNTER, "active_connections", ""),
    ("uptime", "d", Kind.GAUGE, "uptime_days", "days"),
    ("duration", "h", Kind.GAUGE, "duration_hours", "hours"),
    ("timeout", "min", Kind.GAUGE, "timeout_minutes", "minutes"),
    ("latency", "us", Kind.GAUGE, "latency_microseconds", "microseconds"),
    ("precision_time", "ns", Kind.GAUGE, "precision_time_nanoseconds", "nanoseconds"),
    ("cache_size", "KiBy", Kind.GAUGE, "cache_size_kibibytes", "kibibytes"),
    ("memory", "MiBy", Kind.GAUGE, "memory_mebibytes", "mebibytes"),
    ("storage", "GiBy", Kind.GAUGE, "storage_gibibytes", "gibibytes"),
    ("capacity", "TiBy", Kind.GAUGE, "capacity_tibibytes", "tibibytes"),
    ("transfer", "KBy", Kind.GAUGE, "transfer_kilobytes", "kilobytes"),
    ("download", "MBy", Kind.GAUGE, "download_megabytes", "megabytes"),
    ("backup", "GBy", Kind.GAUGE, "backup_gigabytes", "gigabytes"),
    ("archive", "TBy", Kind.GAUGE, "archive_terabytes", "terabytes"),
    ("distance", "m", Kind.GAUGE, "distance_meters", "meters"),
    ("voltage", "V", Kind.GAUGE, "voltage_volts", "volts"),
    ("current", "A", Kind.GAUGE, "current_amperes", "amperes"),
    ("energy", "J", Kind.GAUGE, "energy_joules", "joules"),
    ("power", "W", Kind.GAUGE, "power_watts", "watts"),
    ("weight", "g", Kind.GAUGE, "weight_grams", "grams"),
    ("temperature", "Cel", Kind.GAUGE, "temperature_celsius", "celsius"),
    ("frequency", "Hz", Kind.GAUGE, "frequency_hertz", "hertz"),
    ("cpu_usage", "%", Kind.GAUGE, "cpu_usage_percent", "percent"),
    ("requests", "1/m", Kind.GAUGE, "requests_per_minute", "per_minute"),
    ("events", "1/h", Kind.GAUGE, "events_per_hour", "per_hour"),
    ("transactions", "1/d", Kind.GAUGE, "transactions_per_day", "per_day"),
    ("reports", "1/w", Kind.GAUGE, "reports_per_week", "per_week"),
    ("invoices", "1/mo", Kind.GAUGE, "invoices_per_month", "per_month"),
    ("renewals", "1/y", Kind.GAUGE, "renewals_per_year", "per_year"),
    ("custom", "1/custom_unit", Kind.GAUGE, "custom_per_custom_unit", "per_custom_unit"),
    ("metric", "By/", Kind.GAUGE, "metric_bytes", "bytes"),
    ("metric", " By / s ", Kind.GAUGE, "metric_bytes_per_second", "bytes_per_second"),
    ("metric", "/", Kind.GAUGE, "metric", ""),
    ("http.request.duration", "ms", Kind.HISTOGRAM, "http_request_duration_milliseconds", "milliseconds"),
    ("http.requests", "1", Kind.COUNTER, "http_requests_total", ""),
]


@pytest.mark.parametrize(("name", "unit", "kind", "expected", "expected_unit"), CASES)
def test_name_and_unit_are_the_translators(name, unit, kind, expected, expected_unit):
    """Each known case of the Collector's translator gives its name and its unit."""
    metric = Metric(name, kind, unit)
    assert metric_name(metric) == expected
    assert unit_name(metric) == (expected_unit or ("ratio" if expected.endswith("_ratio") else ""))


@pytest.mark.parametrize(
    ("name", "unit", "kind", "expected"),
    [
        ("service.requests", "{request}", Kind.COUNTER, "service_requests_total"),
        ("service.response_time", "s", Kind.HISTOGRAM, "service_response_time_seconds"),
        ("system.memory.utilization", "1", Kind.GAUGE, "system_memory_utilization_ratio"),
        ("hw.status", "1", Kind.UP_DOWN_COUNTER, "hw_status"),
        ("process.cpu.time", "s", Kind.COUNTER, "process_cpu_time_seconds_total"),
        ("speed", "m/s", Kind.GAUGE, "speed_meters_per_second"),
        ("2xx.responses", "", Kind.COUNTER, "_2xx_responses_total"),
        ("total.seconds.spent", "s", Kind.COUNTER, "seconds_spent_total"),
        ("ratio.of.things", "1", Kind.GAUGE, "of_things_ratio"),
        ("rule:name", "", Kind.GAUGE, "rule:name"),
        ("größe", "By", Kind.GAUGE, "gr_e_bytes"),
        ("x", "%/_", Kind.GAUGE, "x_percent"),
    ],
)
def test_name_of_the_vocabulary_and_of_odd_input(name, unit, kind, expected):
    """Units, kinds, digits and foreign letters come out as the Collector would write them."""
    assert metric_name(Metric(name, kind, unit)) == expected


@pytest.mark.parametrize("name", ["", "@#$%", "___", "字符"])
def test_name_of_nothing_usable_is_an_error(name):
    """A name of which nothing can be kept is refused, so that the renderer leaves the metric out."""
    with pytest.raises(ValueError, match="no Prometheus name"):
        metric_name(Metric(name, Kind.GAUGE))


# label_namer_test.go at 51da773, with PreserveMultipleUnderscores.
@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("label:with:colons", "label_with_colons"),
        ("LabelWithCapitalLetters", "LabelWithCapitalLetters"),
        ("label!with&special$chars)", "label_with_special_chars_"),
        ("label_with_foreign_characters_字符", "label_with_foreign_characters___"),
        ("label.with.dots", "label_with_dots"),
        (".foo", "_foo"),
        ("123label", "key_123label"),
        ("_label_starting_with_underscore", "_label_starting_with_underscore"),
        ("__label_starting_with_2underscores", "__label_starting_with_2underscores"),
        ("label__with__double__underscores", "label__with__double__underscores"),
        ("label.name__with&&special##chars", "label_name__with__special__chars"),
        ("__reserved__label__name__", "__reserved__label__name__"),
        ("trailing_underscores___", "trailing_underscores___"),
    ],
)
def test_label_is_the_translators(key, expected):
    """Each known case of the Collector's label translator gives its label."""
    assert label_name(key) == expected


@pytest.mark.parametrize("key", ["", "__", "ようこそ"])
def test_label_of_nothing_usable_is_an_error(key):
    """A key of which nothing can be kept is refused."""
    with pytest.raises(ValueError, match="no Prometheus label"):
        label_name(key)
