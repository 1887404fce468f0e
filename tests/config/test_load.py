# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The four sources, their order, and what each form of a value means."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from otelkit.config import MetricRule, Settings, describe, load
from otelkit.environment_variables import variable_of
from otelkit.exceptions import ConfigurationError

NOWHERE = os.devnull

READABLE = os.path.abspath(__file__)

SECONDS = st.integers(min_value=1, max_value=10**9).map(lambda ms: ms / 1_000)
KEYS = st.lists(st.from_regex(r"[a-z.*]{4,9}", fullmatch=True), unique=True).filter(lambda keys: "none" not in keys)
COUNT = st.integers(min_value=1, max_value=10**6)
PORT = st.integers(min_value=1, max_value=65_535)
TEXT = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20)
PATH = st.just(READABLE)
URL = st.sampled_from(["http://a", "https://collector:4318", "http://10.0.0.1:9091/base"])
TABLE = st.dictionaries(st.sampled_from(["team", "k8s.pod.name", "x,y"]), TEXT, min_size=1)
ALERTS = st.dictionaries(st.sampled_from(["HighLatency", "LowMemory"]), st.floats(0, 1e6), min_size=1)
RULES = st.dictionaries(
    st.sampled_from(["shop.orders", "shop.*"]),
    st.fixed_dictionaries({"enabled": st.booleans(), "drop_labels": st.lists(TEXT, max_size=2)}),
    min_size=1,
)

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "enabled": st.booleans(),
    "metrics_enabled": st.booleans(),
    "traces_enabled": st.booleans(),
    "machine": st.lists(st.sampled_from(["host", "process", "runtime", "gpu"]), unique=True),
    "service_name": TEXT,
    "service_version": TEXT,
    "service_namespace": TEXT,
    "resource_attributes": TABLE,
    "metrics_exporters": st.lists(
        st.sampled_from(["otlp", "prometheus", "console", "pushgateway", "statsd", "json", "csv", "otlp_file"]),
        unique=True,
    ),
    "traces_exporters": st.lists(st.sampled_from(["otlp", "console", "otlp_file"]), unique=True),
    "export_interval_s": SECONDS,
    "export_timeout_s": SECONDS,
    "shutdown_timeout_s": SECONDS,
    "handle_sigterm": st.booleans(),
    "data_folder": PATH,
    "otlp_endpoint": URL,
    "otlp_protocol": st.sampled_from(["http/protobuf", "grpc"]),
    "otlp_headers": st.dictionaries(st.sampled_from(["api-key", "tenant"]), TEXT, min_size=1),
    "otlp_timeout_s": st.integers(min_value=1, max_value=999).map(float),
    "otlp_compression": st.sampled_from(["none", "gzip"]),
    "otlp_certificate": PATH,
    "otlp_client_key": PATH,
    "otlp_client_certificate": PATH,
    "otlp_insecure": st.booleans(),
    "otlp_request_bytes": st.integers(min_value=1, max_value=1 << 30),
    "metrics_temporality": st.sampled_from(["cumulative", "delta", "lowmemory"]),
    "sampler": st.sampled_from(["always_on", "always_off", "traceidratio", "parentbased_traceidratio"]),
    "sampler_arg": st.floats(min_value=0, max_value=1),
    "span_queue_size": COUNT,
    "span_batch_size": st.integers(min_value=1, max_value=2_048),
    "span_delay_s": SECONDS,
    "span_buffer_folder": PATH,
    "span_buffer_bytes": st.integers(min_value=0, max_value=1 << 40),
    "span_buffer_age_s": SECONDS,
    "prometheus_host": TEXT,
    "prometheus_port": PORT,
    "prometheus_tls_certificate": PATH,
    "prometheus_tls_key": PATH,
    "prometheus_tls_client_ca": PATH,
    "prometheus_basic_auth": TEXT.map(lambda word: f"user:{word}"),
    "prometheus_bearer_token": TEXT,
    "prometheus_scope_labels": st.booleans(),
    "workers_folder": PATH,
    "pushgateway_url": URL,
    "pushgateway_job": TEXT,
    "statsd_host": TEXT,
    "statsd_port": PORT,
    "dashboard": st.booleans(),
    "dashboard_host": TEXT,
    "dashboard_port": PORT,
    "dashboard_grpc_port": PORT,
    "dashboard_folder": PATH,
    "dashboard_hosts": KEYS,
    "dashboard_token": TEXT,
    "dashboard_bytes": st.integers(min_value=1 << 20, max_value=1 << 40),
    "dashboard_retention_s": SECONDS,
    "buckets": st.lists(st.integers(1, 10**6).map(float), min_size=1, max_size=5, unique=True).map(sorted),
    "histogram": st.sampled_from(["explicit", "exponential"]),
    "cardinality_limit": COUNT,
    "exemplars": st.sampled_from(["trace_based", "always_on", "always_off"]),
    "metrics": RULES,
    "alert_thresholds": ALERTS,
    "alert_delays_s": ALERTS,
    "mask_secrets": st.booleans(),
    "secret_keys": KEYS,
    "secret_keys_allowed": KEYS,
    "secret_patterns": st.lists(st.sampled_from([r"EMP-\d+", "[A-Z]{4}", "a(b|c)"]), max_size=1),
}

COMPANIONS = {
    "otlp_client_key": {"otlp_client_certificate": READABLE},
    "otlp_client_certificate": {"otlp_client_key": READABLE},
    "prometheus_tls_key": {"prometheus_tls_certificate": READABLE},
    "prometheus_tls_certificate": {"prometheus_tls_key": READABLE},
    "prometheus_tls_client_ca": {"prometheus_tls_certificate": READABLE, "prometheus_tls_key": READABLE},
}

SETTINGS = {setting.name: setting for setting in describe()}


def to_text(value: object) -> str:
    """Write a value as otelkit's variables have it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return ",".join(f"{quote(key, safe='')}={quote(str(item), safe='')}" for key, item in value.items())
    return repr(value) if isinstance(value, float) else str(value)


def to_own(name: str, value: object) -> str:
    """Write a value for OTELKIT_<NAME>."""
    return json.dumps(value) if name == "metrics" else to_text(value)


def to_otel(name: str, value: Any) -> str:
    """Write a value as OpenTelemetry's variable has it."""
    if name == "enabled":
        return to_text(not value)
    if name == "histogram":
        return {"explicit": "explicit_bucket_histogram", "exponential": "base2_exponential_bucket_histogram"}[value]
    if name.endswith("_s") and name != "otlp_timeout_s":
        return repr(value * 1_000)
    return to_text(value)


def to_toml(value: object) -> str:
    """Write a value as TOML; JSON's text, numbers, truth values and lists are TOML's."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {to_toml(item)}" for key, item in value.items()) + "}"
    return json.dumps(value)


def plain(settings: Settings, name: str) -> Any:
    """Return a setting's value as the strategies make it."""
    value = json.loads(json.dumps(settings.values()[name]))
    return (
        {key: {"enabled": True, "drop_labels": [], **rule} for key, rule in value.items()}
        if name == "metrics"
        else value
    )


def test_every_setting_is_covered() -> None:
    """The strategies know every setting, so that no new one escapes these laws."""
    assert set(VALUES) == set(SETTINGS)


@pytest.mark.parametrize("name", SETTINGS)
@hypothesis_settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_precedence(name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """For every setting: argument before OTEL_*, before OTELKIT_*, before the file, before the default."""
    in_file, own, otel, argument = (data.draw(VALUES[name]) for _ in range(4))
    file = tmp_path_factory.getbasetemp() / "precedence.toml"
    file.write_text(f"{name} = {to_toml(in_file)}\n", encoding="utf-8")
    beside: dict[str, Any] = COMPANIONS.get(name, {})
    environ: dict[str, str] = {}

    def check(expected: Any, source: str, **arguments: Any) -> None:
        settings = load(file, environ, **beside, **arguments)
        found = plain(settings, name)
        if isinstance(expected, float):
            assert found == pytest.approx(expected)
        elif name in ("resource_attributes", "metrics", "alert_thresholds", "alert_delays_s"):
            assert expected.items() <= found.items()
        else:
            assert found == expected
        assert settings.source(name).split(", ")[0].endswith(source)

    check(in_file, f"precedence.toml: {name}")
    environ[variable_of(name)] = to_own(name, own)
    check(own, variable_of(name))
    if variable := SETTINGS[name].option.otel:
        environ[variable] = to_otel(name, otel)
        check(otel, variable)
    check(argument, "argument", **{name: argument})


@hypothesis_settings(deadline=None)
@given(data=st.data())
def test_round_trip(data: st.DataObject) -> None:
    """What `values` returns makes the same settings again."""
    names = data.draw(st.sets(st.sampled_from(sorted(set(VALUES) - {"span_batch_size", "prometheus_basic_auth"}))))
    arguments = {name: data.draw(VALUES[name]) for name in sorted(names)}
    for name in sorted(names):
        arguments |= COMPANIONS.get(name, {})
    settings = load(NOWHERE, {}, **arguments)
    assert load(NOWHERE, {}, **settings.values()).values() == settings.values()
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_defaults() -> None:
    """Without any source the defaults are the specification's."""
    settings = load(NOWHERE, {})
    assert settings.metrics_exporters == settings.traces_exporters == ("otlp",)
    assert (settings.export_interval_s, settings.export_timeout_s, settings.span_delay_s) == (60, 30, 5)
    assert (settings.prometheus_host, settings.prometheus_port) == ("localhost", 9464)
    assert settings.source("prometheus_port") == "default"
    assert settings == Settings(signals={"metrics": {}, "traces": {}})


def test_empty_variables_are_unset() -> None:
    """Empty counts as not set, also for OTELKIT_*."""
    environ = {variable: " " for setting in describe() for variable in setting.variables}
    assert load(NOWHERE, environ) == load(NOWHERE, {})


def test_none_is_not_given() -> None:
    """An argument of None leaves the setting to the other sources."""
    assert load(NOWHERE, {"OTELKIT_SERVICE_NAME": "shop"}, service_name=None).service_name == "shop"


@pytest.mark.parametrize(("text", "enabled"), [("true", False), ("TRUE", False), ("false", True), ("1", True)])
def test_specification_truth(text: str, enabled: bool) -> None:
    """Of OpenTelemetry's truth values only "true" is true, in any case."""
    assert load(NOWHERE, {"OTEL_SDK_DISABLED": text}).enabled is enabled


@pytest.mark.parametrize(("text", "seconds"), [("10", 10), ("0.5", 0.5), ("10000", 10), ("1000", 1), ("999", 999)])
def test_otlp_timeout_in_both_units(text: str, seconds: float) -> None:
    """1000 and more are the specification's milliseconds, less are the Python SDK's seconds."""
    assert load(NOWHERE, {"OTEL_EXPORTER_OTLP_TIMEOUT": text}).otlp_timeout_s == seconds


def test_specification_truth_warns(caplog: pytest.LogCaptureFixture) -> None:
    """What is neither true nor false is false, and said so, as the specification wants."""
    load(NOWHERE, {"OTEL_EXPORTER_OTLP_INSECURE": "probably"})
    assert "'probably': taken as false" in caplog.text


def test_otel_names_in_any_case() -> None:
    """Enumerations of the specification are read without regard to case."""
    environ = {
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "DELTA",
        "OTEL_METRICS_EXEMPLAR_FILTER": "Always_On",
        "OTEL_TRACES_SAMPLER": "Always_Off",
    }
    settings = load(NOWHERE, environ)
    assert (settings.metrics_temporality, settings.exemplars) == ("delta", "always_on")
    assert settings.sampler == "always_off"


def test_resource_attributes_are_percent_decoded_and_merged() -> None:
    """Sources are merged key by key; keys and values are decoded."""
    environ = {"OTEL_RESOURCE_ATTRIBUTES": "team=a%2Cb,zone=eu%3D1", "OTELKIT_RESOURCE_ATTRIBUTES": "team=c,rack=7"}
    settings = load(NOWHERE, environ, resource_attributes={"zone": "us"})
    assert settings.resource_attributes == {"zone": "us", "team": "a,b", "rack": "7"}
    assert settings.source("resource_attributes") == "argument, OTEL_RESOURCE_ATTRIBUTES, OTELKIT_RESOURCE_ATTRIBUTES"


def test_service_name_among_resource_attributes() -> None:
    """service.name of OTEL_RESOURCE_ATTRIBUTES is OpenTelemetry's word, but below OTEL_SERVICE_NAME."""
    environ = {"OTEL_RESOURCE_ATTRIBUTES": "service.name=a,service.version=2", "OTELKIT_SERVICE_NAME": "b"}
    settings = load(NOWHERE, environ)
    assert (settings.service_name, settings.service_version) == ("a", "2")
    assert settings.source("service_name") == "OTEL_RESOURCE_ATTRIBUTES: service.name"
    settings = load(NOWHERE, environ | {"OTEL_SERVICE_NAME": "c"})
    assert settings.resource() == {"service.name": "c", "service.version": "2"}


def test_none_exporter() -> None:
    """The exporter none is no exporter."""
    settings = load(NOWHERE, {"OTEL_METRICS_EXPORTER": "None"}, traces_exporters=["none"])
    assert settings.metrics_exporters == settings.traces_exporters == ()


def test_exporters_are_named_once() -> None:
    """An exporter that was named twice is one; a list may be written with commas."""
    assert load(NOWHERE, {}, metrics_exporters="otlp, prometheus,otlp").metrics_exporters == ("otlp", "prometheus")


def test_exporter_of_an_entry_point() -> None:
    """An installed exporter of somebody else's may be named."""
    assert load(NOWHERE, {}, metrics_exporters=["otlp_proto_grpc"]).metrics_exporters == ("otlp_proto_grpc",)


def test_sampler_argument_of_other_samplers_stays_text() -> None:
    """An argument that is no number is kept for the sampler that wants it."""
    assert load(NOWHERE, {"OTEL_TRACES_SAMPLER_ARG": "rate=5"}).sampler_arg == "rate=5"
    assert load(NOWHERE, {"OTEL_TRACES_SAMPLER_ARG": "0.25"}).sampler_arg == 0.25


def test_batch_follows_a_smaller_queue() -> None:
    """A small queue alone lowers the default batch."""
    assert load(NOWHERE, {}, span_queue_size=100).span_batch_size == 100


def test_rules() -> None:
    """A metric's own name goes before patterns, patterns in order, and most metrics have no rule."""
    rules = {
        "shop.*": {"enabled": False},
        "shop.orders": MetricRule(buckets=(1.0, 2.0)),
        "*.o*": {"drop_labels": ["x"]},
    }
    settings = load(NOWHERE, {}, metrics=rules)
    assert settings.rule("shop.orders") == MetricRule(buckets=(1.0, 2.0))
    assert settings.rule("shop.other").enabled is False
    assert settings.rule("bar.other").drop_labels == ("x",)
    assert settings.rule("elsewhere") == MetricRule()


def test_a_path_object_is_a_path(tmp_path: Path) -> None:
    """Folders and files may be given as path objects."""
    assert load(NOWHERE, {}, data_folder=tmp_path).data_folder == str(tmp_path)


def test_settings_cannot_be_changed() -> None:
    """Settings are immutable."""
    with pytest.raises(AttributeError):
        load(NOWHERE, {}).enabled = False  # pyright: ignore[reportAttributeAccessIssue]


def test_variables_of_kubernetes_are_no_settings() -> None:
    """A Service named otelkit-collector puts its address into every pod's environment; that is no mistake."""
    links = {
        "OTELKIT_COLLECTOR_SERVICE_HOST": "10.0.0.1",
        "OTELKIT_COLLECTOR_SERVICE_PORT": "4318",
        "OTELKIT_COLLECTOR_SERVICE_PORT_OTLP_HTTP": "4318",
        "OTELKIT_COLLECTOR_PORT": "tcp://10.0.0.1:4318",
        "OTELKIT_COLLECTOR_PORT_4318_TCP": "tcp://10.0.0.1:4318",
        "OTELKIT_COLLECTOR_PORT_4318_TCP_PROTO": "tcp",
        "OTELKIT_PROMETHEUS_PORT": "9999",
    }
    assert load("/dev/null", links).prometheus_port == 9999
    with pytest.raises(ConfigurationError, match="OTELKIT_PROMETHEUS_PORT"):
        load("/dev/null", {"OTELKIT_PROMETEUS_PORT": "9999"})
