# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Every mistake raises at start and says what was expected, what came, where, and the remedy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otelkit.config import describe, load
from otelkit.exceptions import ConfigurationError

NOWHERE = os.devnull


def error_of(environ: dict[str, str] | None = None, file: Any = NOWHERE, **arguments: object) -> ConfigurationError:
    """Return the error that `load` raises."""
    with pytest.raises(ConfigurationError) as caught:
        load(file, environ or {}, **arguments)
    return caught.value


def text_of(environ: dict[str, str] | None = None, file: Any = NOWHERE, **arguments: object) -> str:
    """Return its text."""
    return str(error_of(environ, file, **arguments))


ARGUMENTS = [
    (
        {"service_nme": "x"},
        "Expected a known setting, got 'service_nme' - at argument service_nme. Did you mean 'service_name'?",
    ),
    (
        {"quux": "x"},
        "Expected a known setting, got 'quux' - at argument quux. docs/configuration.md lists all settings.",
    ),
    (
        {"prometheus_port": "9464"},
        "Expected a whole number, got '9464' - at argument prometheus_port. "
        "Type of prometheus_port: whole number; default 9464.",
    ),
    (
        {"prometheus_port": 65_536},
        "Expected a whole number <= 65535, got 65536 - at argument prometheus_port. "
        "Type of prometheus_port: whole number; default 9464.",
    ),
    (
        {"export_interval_s": 0},
        "Expected a number > 0.0, got 0 - at argument export_interval_s. "
        "Type of export_interval_s: number, in s; default 60.0.",
    ),
    (
        {"service_name": ""},
        "Expected text of length >= 1, got '' - at argument service_name. Type of service_name: text.",
    ),
    (
        {"metrics_enabled": 1},
        "Expected true or false, got 1 - at argument metrics_enabled. "
        "Type of metrics_enabled: true or false; default True.",
    ),
    (
        {"histogram": "exponental"},
        "Expected one of explicit, exponential, got 'exponental' - at argument histogram. Did you mean 'exponential'?",
    ),
    (
        {"machine": ["host", "gpus"]},
        "Expected one of host, process, runtime, gpu, got 'gpus' - at argument machine[1]. Did you mean 'gpu'?",
    ),
    (
        {"resource_attributes": {"a": []}},
        "Expected true or false | a whole number | a number | text, got [] - at argument resource_attributes['a']. "
        "Type of resource_attributes: table.",
    ),
    (
        {"resource_attributes": {1: "x"}},
        "Expected text as a key, got 1 - at argument resource_attributes. Keys of resource_attributes are text.",
    ),
    (
        {"metrics_exporters": ["none", "otlp"]},
        "Expected none alone, got ['none', 'otlp'] - at argument metrics_exporters. Leave none out, or the others.",
    ),
    (
        {"sampler": "traceidratio", "sampler_arg": 1.5},
        "Expected a number from 0 to 1, got 1.5 - at argument sampler_arg. "
        "traceidratio keeps this share of all traces.",
    ),
    (
        {"span_queue_size": 10, "span_batch_size": 11},
        "Expected at most span_queue_size (10), got 11 - at argument span_batch_size. "
        "Make the batch smaller or the queue larger.",
    ),
    (
        {"buckets": [1, 1]},
        "Expected finite, ascending bounds, got [1.0, 1.0] - at argument buckets. "
        "Sort them, name each once, and leave infinity out: the last bucket has no upper bound by itself.",
    ),
    (
        {"metrics": {"a": {"bukets": [1]}}},
        "Expected one of enabled, buckets, drop_labels, rename_labels, hash_labels, hash_buckets, cardinality_limit, "
        "across_workers, got 'bukets' - at argument metrics['a']. Did you mean 'buckets'?",
    ),
    (
        {"metrics": {"a": {"buckets": [2, 1]}}},
        "Expected finite, ascending bounds, got [2.0, 1.0] - at argument metrics['a'].buckets. "
        "Sort them, name each once, and leave infinity out: the last bucket has no upper bound by itself.",
    ),
    (
        {"metrics": {"a": {"drop_labels": ["x"], "rename_labels": {"x": "y"}}}},
        "Expected labels either dropped or renamed, got 'x' - at argument metrics['a']. Drop it or rename it.",
    ),
    (
        {"metrics": {"a": {"rename_labels": {"x": "z", "y": "z"}}}},
        "Expected different new names, got {'x': 'z', 'y': 'z'} - at argument metrics['a'].rename_labels. "
        "Give each label a name of its own.",
    ),
    (
        {"otlp_endpoint": "collector:4318"},
        "Expected a URL with http:// or https:// and a host, got 'collector:4318/v1/metrics' - "
        "at argument otlp_endpoint. For example http://collector:4318.",
    ),
    (
        {"pushgateway_url": "http://host:port"},
        "Expected a URL with http:// or https:// and a host, got 'http://host:port' - at argument pushgateway_url. "
        "For example http://collector:4318.",
    ),
    (
        {"otlp_certificate": "/nowhere/ca.pem"},
        "Expected a readable file, got '/nowhere/ca.pem': No such file or directory - at argument otlp_certificate. "
        "Correct the path or its rights.",
    ),
    (
        {"otlp_client_key": __file__},
        "Expected otlp_client_certificate beside otlp_client_key, got none - at argument otlp_client_key. "
        "Set otlp_client_certificate too, or leave otlp_client_key out.",
    ),
    (
        {"prometheus_tls_certificate": __file__},
        "Expected prometheus_tls_key beside prometheus_tls_certificate, got none - "
        "at argument prometheus_tls_certificate. "
        "Set prometheus_tls_key too, or leave prometheus_tls_certificate out.",
    ),
    (
        {"prometheus_tls_client_ca": __file__},
        "Expected prometheus_tls_certificate and prometheus_tls_key beside it, got neither - "
        "at argument prometheus_tls_client_ca. Clients can be asked for a certificate over TLS only: set both.",
    ),
    (
        {"prometheus_basic_auth": "hunter2"},
        "Expected user:password, got ******** - at argument prometheus_basic_auth. Put a colon between the two.",
    ),
    (
        {"prometheus_basic_auth": "a:b", "prometheus_bearer_token": "c"},
        "Expected prometheus_basic_auth or prometheus_bearer_token, got both - "
        "at argument prometheus_basic_auth and argument prometheus_bearer_token. Leave one out.",
    ),
    (
        {"otlp_protocol": "grpc", "otlp_compression": "deflate"},
        "Expected none or gzip with grpc, got 'deflate' - at argument otlp_compression. Use gzip.",
    ),
    (
        {"otlp_protocol": "http/json"},
        "Expected one of http/protobuf, grpc, got 'http/json' - at argument otlp_protocol.",
    ),
]


@pytest.mark.parametrize(("arguments", "text"), ARGUMENTS, ids=[next(iter(pair[0])) for pair in ARGUMENTS])
def test_arguments(arguments: dict[str, Any], text: str) -> None:
    """Each mistake in an argument is told in one sentence."""
    assert text_of(**arguments) == text


VARIABLES = [
    (
        "OTELKIT_QUUX",
        "1",
        "Expected a known setting, got 'OTELKIT_QUUX' - at the environment. "
        "Unset it: docs/configuration.md lists all settings.",
    ),
    (
        "OTELKIT_EXPORT_INTERVAL",
        "10",
        "Expected a known setting, got 'OTELKIT_EXPORT_INTERVAL' - at the environment. "
        "Did you mean 'OTELKIT_EXPORT_INTERVAL_S'?",
    ),
    (
        "OTELKIT_ENABLED",
        "yes",
        "Expected true or false, got 'yes' - at OTELKIT_ENABLED. Type of enabled: true or false; default True.",
    ),
    (
        "OTEL_METRIC_EXPORT_INTERVAL",
        "soon",
        "Expected a number of milliseconds, got 'soon' - at OTEL_METRIC_EXPORT_INTERVAL. "
        "Correct or unset OTEL_METRIC_EXPORT_INTERVAL.",
    ),
    (
        "OTEL_METRIC_EXPORT_INTERVAL",
        "-5",
        "Expected a number > 0.0, got '-5' - at OTEL_METRIC_EXPORT_INTERVAL. "
        "Type of export_interval_s: number, in s; default 60.0.",
    ),
    (
        "OTEL_EXPORTER_OTLP_TIMEOUT",
        "nan",
        "Expected a number > 0.0, got 'nan' - at OTEL_EXPORTER_OTLP_TIMEOUT. "
        "Type of otlp_timeout_s: number, in s; default 10.0.",
    ),
    (
        "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
        "long",
        "Expected a number: milliseconds from 1000 on, seconds below, got 'long' - "
        "at OTEL_EXPORTER_OTLP_TRACES_TIMEOUT. Correct or unset OTEL_EXPORTER_OTLP_TRACES_TIMEOUT.",
    ),
    (
        "OTEL_EXPORTER_PROMETHEUS_PORT",
        "http",
        "Expected a whole number, got 'http' - at OTEL_EXPORTER_PROMETHEUS_PORT. "
        "Type of prometheus_port: whole number; default 9464.",
    ),
    (
        "OTEL_RESOURCE_ATTRIBUTES",
        "team",
        "Expected key=value pairs, separated by commas, percent-encoded, got 'team' - at OTEL_RESOURCE_ATTRIBUTES. "
        "Correct or unset OTEL_RESOURCE_ATTRIBUTES.",
    ),
    (
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
        "explicit",
        "Expected explicit_bucket_histogram or base2_exponential_bucket_histogram, got 'explicit' - "
        "at OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION. "
        "Correct or unset OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION.",
    ),
    (
        "OTELKIT_BUCKETS",
        "1,x",
        "Expected a number, got '1,x' - at OTELKIT_BUCKETS[1]. Type of buckets: list of number, in s.",
    ),
    (
        "OTELKIT_METRICS",
        "{",
        "Expected a JSON object (Input data was truncated), got '{' - at OTELKIT_METRICS. "
        "Correct or unset OTELKIT_METRICS.",
    ),
    (
        "OTELKIT_METRICS",
        "[]",
        "Expected a table, got '[]' - at OTELKIT_METRICS. Type of metrics: table of rules.",
    ),
    (
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
        "collector:4317",
        "Expected a URL with http:// or https:// and a host, got 'collector:4317' - "
        "at OTEL_EXPORTER_OTLP_METRICS_ENDPOINT. For example http://collector:4318.",
    ),
]


@pytest.mark.parametrize(("variable", "value", "text"), VARIABLES)
def test_variables(variable: str, value: str, text: str) -> None:
    """Each mistake in a variable names the variable."""
    assert text_of({variable: value}) == text


def test_unknown_exporter() -> None:
    """An unknown exporter names those that there are, installed ones included, and the nearest."""
    error = error_of({"OTEL_METRICS_EXPORTER": "otlp,promtheus"})
    assert (error.got, error.where, error.remedy) == (
        "'promtheus'",
        "OTEL_METRICS_EXPORTER",
        "Did you mean 'prometheus'?",
    )
    assert {"otlp", "otlp_proto_grpc", "pushgateway"} <= set(error.expected.removeprefix("one of ").split(", "))


def test_unknown_exporter_without_a_like() -> None:
    """An exporter that resembles none may be one that is not installed."""
    remedy = error_of(traces_exporters=["zzz"]).remedy
    assert remedy == "Install the package that provides it as an entry point of opentelemetry_traces_exporter."


def test_unknown_sampler() -> None:
    """An unknown sampler is told with the nearest."""
    assert error_of({"OTEL_TRACES_SAMPLER": "allways_on"}).remedy == "Did you mean 'always_on'?"


@settings(max_examples=40, deadline=None)
@given(secret=st.text(st.characters(min_codepoint=0x61, max_codepoint=0x7A), min_size=12))
def test_secrets_stay_out_of_errors(secret: str) -> None:
    """No error shows any part of a secret's value."""
    for name in [setting.name for setting in describe() if setting.secret]:
        assert secret not in text_of(None, NOWHERE, **{name: [secret]})
    assert secret not in text_of({"OTEL_EXPORTER_OTLP_HEADERS": secret})
    assert secret not in text_of(prometheus_basic_auth=secret)
    assert secret not in text_of(otlp_endpoint=f"ftp://me:{secret}@host")
    assert secret not in text_of(resource_attributes={"api_key": [secret]})


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (
            "service_nme = 'x'",
            "Expected a known setting, got 'service_nme' - at otelkit.toml: service_nme.",
        ),
        ("prometheus_port = 'x'", "Expected a whole number, got 'x' - at otelkit.toml: prometheus_port."),
        ("buckets = [1, 'x']", "Expected a number, got [1, 'x'] - at otelkit.toml: buckets[1]."),
        ("enabled = 1\n[", "Expected TOML, got what TOML does not allow: "),
        (
            "[metrics.'shop.*']\nenabled = 0",
            "Expected true or false, got {'enabled': 0} - at otelkit.toml: metrics['shop.*']",
        ),
        ("[metrics]\na = 1", "Expected a table, got 1 - at otelkit.toml: metrics['a']."),
    ],
)
def test_file(content: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each mistake in the file names file and key."""
    (tmp_path / "otelkit.toml").write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert text_of(file=None).startswith(text)


def test_malformed_file_names_the_line(tmp_path: Path) -> None:
    """What TOML does not allow is located."""
    file = tmp_path / "otelkit.toml"
    file.write_text("enabled = true\nservice_name shop\n", encoding="utf-8")
    text = text_of(file=file)
    assert "(at line 2, column 14) - at" in text
    assert text.endswith(f"{file}. Correct that line.")


def test_file_that_is_not_utf8(tmp_path: Path) -> None:
    """A file in another encoding is told with the line."""
    file = tmp_path / "otelkit.toml"
    file.write_bytes(b"enabled = true\nservice_name = '\xe9t\xe9'\n")
    assert text_of(file=file) == f"Expected UTF-8, got byte 0xe9 (at line 2) - at {file}. Save the file as UTF-8."


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A folder in the file's place is told as the system tells it."""
    text = text_of(file=tmp_path)
    assert text.startswith(f"Expected a readable file, got Is a directory - at {tmp_path}.")


def test_missing_file(tmp_path: Path) -> None:
    """A file that was named must exist, whoever named it."""
    missing = str(tmp_path / "missing.toml")
    expected = f"Expected a file, got {missing!r}, which does not exist - at "
    assert text_of(file=missing) == f"{expected}argument file. Create it, or name another."
    assert text_of({"OTELKIT_CONFIG_FILE": missing}, file=None).startswith(f"{expected}OTELKIT_CONFIG_FILE.")


def test_project_without_a_table(tmp_path: Path) -> None:
    """A pyproject.toml that was named must have the table."""
    file = tmp_path / "pyproject.toml"
    file.write_text("[project]\nname = 'shop'\n", encoding="utf-8")
    assert text_of(file=file) == (
        f"Expected a table [tool.otelkit], got none - at {file}. Add it, or name another file."
    )


@pytest.mark.parametrize("name", [setting.name for setting in describe()])
@settings(max_examples=40, deadline=None)
@given(
    junk=st.one_of(
        st.text(), st.integers(), st.floats(), st.lists(st.integers()), st.dictionaries(st.text(), st.text())
    )
)
def test_nothing_but_our_error(name: str, junk: object) -> None:
    """Whatever is given, either it is valid or the error is ours."""
    for arguments, environ in (({name: junk}, {}), ({}, {f"OTELKIT_{name.upper()}": str(junk)})):
        try:
            load(NOWHERE, environ, **arguments)
        except ConfigurationError as error:
            assert error.where  # noqa: PT017 - the point is that nothing else is raised
