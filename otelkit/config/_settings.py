# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Every setting, defined once: name, type, range, default, unit, help and variables.

Keyword arguments, variables, keys of the file, the table in the docs and doctor's listing are made from this.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, to_builtins

from otelkit.config import _text
from otelkit.config._definition import Option, masked_url

__all__ = ("MetricRule", "OtlpSettings", "Settings")

Seconds = Annotated[float, Meta(gt=0, le=1e9)]  # the upper limit keeps infinity out
Count = Annotated[int, Meta(ge=1)]
Port = Annotated[int, Meta(ge=0, le=65_535)]
Text = Annotated[str, Meta(min_length=1)]
Attribute = str | bool | int | float


class MetricRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """
    What is to be done with one metric, or with all that match a pattern.

    Attributes:
        enabled: False drops the metric.
        buckets: Upper bounds in the metric's unit, ascending.
        drop_labels: Labels to leave out; their series are added up.
        rename_labels: New name by old name.
        hash_labels: Labels whose values are replaced by one of a few: ``#00`` to ``#3f``. A value gets the same
            one in every process and release; it is no anonymisation.
        hash_buckets: How many there are.
        cardinality_limit: Label sets, before further ones go to the overflow series.
        across_workers: What becomes of a number that several workers of one server report; see docs/workers.md.
    """

    enabled: bool = True
    buckets: tuple[float, ...] | None = None
    drop_labels: tuple[str, ...] = ()
    rename_labels: dict[str, str] = {}
    hash_labels: tuple[str, ...] = ()
    hash_buckets: Annotated[int, Meta(ge=1, le=65_536)] = 64
    cardinality_limit: Count | None = None
    across_workers: Literal["sum", "total", "max", "min", "latest", "each"] | None = None


class Settings(Struct, frozen=True, kw_only=True):
    """
    The configuration of one process; immutable, may be pickled and shared between threads.

    `load` makes it. ``sources`` and ``signals`` are no settings: where each value came from, and what OTLP's
    variables for one signal say (see `otlp`).
    """

    # -- what is on ---------------------------------------------------------------

    enabled: Annotated[
        bool,
        Option(
            "False turns otelkit off: decorators give the plain function back.",
            otel="OTEL_SDK_DISABLED",
            read=_text.negated,
        ),
    ] = True
    metrics_enabled: Annotated[bool, Option("Whether metrics are recorded and published.")] = True
    traces_enabled: Annotated[bool, Option("Whether spans are made and published.")] = True
    machine: Annotated[
        tuple[Literal["host", "process", "runtime", "gpu"], ...],
        Option("Which of the machine's own metrics are published; none for none."),
    ] = ("host", "process", "runtime", "gpu")

    # -- who is observed ----------------------------------------------------------

    service_name: Annotated[
        Text | None,
        Option(
            "Name of the program: service.name. Without one, OpenTelemetry's unknown_service.", otel="OTEL_SERVICE_NAME"
        ),
    ] = None
    service_version: Annotated[Text | None, Option("Version of the program: service.version.")] = None
    service_namespace: Annotated[Text | None, Option("What the service belongs to: service.namespace.")] = None
    resource_attributes: Annotated[
        dict[str, Attribute],
        Option(
            "Further attributes of the resource. Sources are merged key by key.",
            otel="OTEL_RESOURCE_ATTRIBUTES",
        ),
    ] = {}

    # -- where it goes ------------------------------------------------------------

    metrics_exporters: Annotated[
        tuple[str, ...],
        Option(
            "Where metrics go: otlp, prometheus, pushgateway, statsd, json, csv, otlp_file, console, none, or the "
            "name of an installed opentelemetry_metrics_exporter entry point.",
            otel="OTEL_METRICS_EXPORTER",
        ),
    ] = ("otlp",)
    traces_exporters: Annotated[
        tuple[str, ...],
        Option(
            "Where spans go: otlp, otlp_file, console, none, or the name of an installed opentelemetry_traces_exporter "
            "entry point.",
            otel="OTEL_TRACES_EXPORTER",
        ),
    ] = ("otlp",)
    export_interval_s: Annotated[
        Seconds,
        Option(
            "Time between two exports of metrics. OpenTelemetry's variable is in milliseconds.",
            unit="s",
            otel="OTEL_METRIC_EXPORT_INTERVAL",
            read=_text.milliseconds,
        ),
    ] = 60.0
    export_timeout_s: Annotated[
        Seconds,
        Option(
            "Time one export of metrics may take. OpenTelemetry's variable is in milliseconds.",
            unit="s",
            otel="OTEL_METRIC_EXPORT_TIMEOUT",
            read=_text.milliseconds,
        ),
    ] = 30.0
    shutdown_timeout_s: Annotated[
        Seconds, Option("Time the end of the program may be held up to deliver what is left.", unit="s")
    ] = 2.0
    handle_sigterm: Annotated[
        bool,
        Option(
            "Whether SIGTERM delivers what is left before it ends the program, where the program does not handle it."
        ),
    ] = True
    data_folder: Annotated[
        Text, Option("Folder of the files that json, csv and otlp_file write; made when needed.", path=True)
    ] = "otelkit-data"

    # -- OTLP ---------------------------------------------------------------------

    otlp_endpoint: Annotated[
        Text | None,
        Option(
            "Base URL of the receiver; for http/protobuf, v1/metrics and v1/traces are added. A signal's own variable "
            "is taken as it is. Without one: http://localhost:4318, or 4317 for grpc.",
            otel="OTEL_EXPORTER_OTLP_ENDPOINT",
            per_signal=True,
        ),
    ] = None
    otlp_protocol: Annotated[
        Literal["http/protobuf", "grpc"],
        Option("How OTLP is spoken.", otel="OTEL_EXPORTER_OTLP_PROTOCOL", per_signal=True),
    ] = "http/protobuf"
    otlp_headers: Annotated[
        dict[str, str],
        Option(
            "Headers sent with each export, such as an API key.",
            otel="OTEL_EXPORTER_OTLP_HEADERS",
            read=_text.headers,
            secret=True,
            per_signal=True,
        ),
    ] = {}
    otlp_timeout_s: Annotated[
        Seconds,
        Option(
            "Time an export of metrics may take, retries included, and each attempt to send spans. In OpenTelemetry's "
            "variable, 1000 and more are milliseconds (the specification's unit), less are seconds (Python's SDK).",
            unit="s",
            otel="OTEL_EXPORTER_OTLP_TIMEOUT",
            read=_text.otlp_timeout,
            per_signal=True,
        ),
    ] = 10.0
    otlp_compression: Annotated[
        Literal["none", "gzip", "deflate"],
        Option(
            "Compression of requests; deflate over http/protobuf only.",
            otel="OTEL_EXPORTER_OTLP_COMPRESSION",
            per_signal=True,
        ),
    ] = "none"
    otlp_certificate: Annotated[
        Text | None,
        Option(
            "PEM file of the authority that the receiver's certificate is checked against.",
            otel="OTEL_EXPORTER_OTLP_CERTIFICATE",
            path=True,
            per_signal=True,
        ),
    ] = None
    otlp_client_key: Annotated[
        Text | None,
        Option(
            "PEM file of the client's private key, for mutual TLS.",
            otel="OTEL_EXPORTER_OTLP_CLIENT_KEY",
            path=True,
            per_signal=True,
        ),
    ] = None
    otlp_client_certificate: Annotated[
        Text | None,
        Option(
            "PEM file of the client's certificate, for mutual TLS.",
            otel="OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
            path=True,
            per_signal=True,
        ),
    ] = None
    otlp_insecure: Annotated[
        bool | None,
        Option(
            "grpc without TLS, for an endpoint without http:// or https://, whose scheme decides otherwise.",
            otel="OTEL_EXPORTER_OTLP_INSECURE",
            read=_text.boolean,
            per_signal=True,
        ),
    ] = None
    otlp_request_bytes: Annotated[
        Count | None,
        Option(
            "Largest request, before compression; larger ones are split. Without one: what the Collector takes, less "
            "a margin: 16 MiB, or 3.5 MB for grpc.",
            unit="By",
        ),
    ] = None
    metrics_temporality: Annotated[
        Literal["cumulative", "delta", "lowmemory"],
        Option("Whether OTLP carries totals or differences.", otel="OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"),
    ] = "cumulative"

    # -- traces -------------------------------------------------------------------

    sampler: Annotated[
        Text,
        Option(
            "Which traces are kept: always_on, always_off, traceidratio, their parentbased_ forms; otelkit_ratelimited "
            "(never more traces a second than sampler_arg), otelkit_adaptive (about as many, by probability), and "
            "otelkit_parentbased_ratelimited and otelkit_parentbased_adaptive, which go with the caller's decision; or "
            "the name of an installed opentelemetry_traces_sampler entry point.",
            otel="OTEL_TRACES_SAMPLER",
            read=str.lower,
        ),
    ] = "parentbased_always_on"
    sampler_arg: Annotated[
        float | str | None,
        Option(
            "Argument of the sampler: for ratio samplers the share that is kept, 0 to 1; for otelkit's the traces a "
            "second, 10 unless set.",
            otel="OTEL_TRACES_SAMPLER_ARG",
        ),
    ] = None
    span_queue_size: Annotated[
        Count, Option("Ended spans that may wait for export; further ones are dropped.", otel="OTEL_BSP_MAX_QUEUE_SIZE")
    ] = 2_048
    span_batch_size: Annotated[
        Count,
        Option(
            "Spans sent in one request; at most span_queue_size, and lowered to it by itself when not set.",
            otel="OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
        ),
    ] = 512
    span_delay_s: Annotated[
        Seconds,
        Option(
            "Longest time an ended span waits for export. OpenTelemetry's variable is in milliseconds.",
            unit="s",
            otel="OTEL_BSP_SCHEDULE_DELAY",
            read=_text.milliseconds,
        ),
    ] = 5.0

    span_buffer_folder: Annotated[
        Text | None,
        Option(
            "Folder for spans that the OTLP receiver cannot take just now. Without one: otelkit/spans in this user's "
            "state folder ($XDG_STATE_HOME, ~/.local/state), or a private one beside temporary files.",
            path=True,
        ),
    ] = None
    span_buffer_bytes: Annotated[
        Annotated[int, Meta(ge=0)],
        Option("Most that each process keeps there; beyond it the oldest are dropped. 0 for no files.", unit="By"),
    ] = 64 << 20
    span_buffer_age_s: Annotated[
        Seconds, Option("Age at which spans that wait there are worth nothing any more.", unit="s")
    ] = 86_400.0

    # -- Prometheus, Pushgateway, StatsD ------------------------------------------

    prometheus_host: Annotated[
        Text, Option("Address on which /metrics is served.", otel="OTEL_EXPORTER_PROMETHEUS_HOST")
    ] = "localhost"
    prometheus_port: Annotated[
        Port, Option("Port of /metrics; 0 takes a free one.", otel="OTEL_EXPORTER_PROMETHEUS_PORT")
    ] = 9_464
    prometheus_tls_certificate: Annotated[Text | None, Option("PEM file of the server's certificate.", path=True)] = (
        None
    )
    prometheus_tls_key: Annotated[Text | None, Option("PEM file of the server's private key.", path=True)] = None
    prometheus_tls_client_ca: Annotated[
        Text | None, Option("PEM file of the authority whose clients alone may scrape.", path=True)
    ] = None
    prometheus_basic_auth: Annotated[Text | None, Option("user:password that a scraper must send.", secret=True)] = None
    prometheus_bearer_token: Annotated[Text | None, Option("Token that a scraper must send.", secret=True)] = None
    prometheus_scope_labels: Annotated[
        bool, Option("Whether series carry otel_scope_name and otel_scope_version, as the specification wants.")
    ] = True
    workers_folder: Annotated[
        Text | None,
        Option(
            "Folder through which the workers that are given it share one /metrics. Without one, those of one server "
            "share a private folder by themselves.",
            path=True,
        ),
    ] = None
    pushgateway_url: Annotated[Text, Option("Base URL of the Pushgateway.")] = "http://localhost:9091"
    pushgateway_job: Annotated[Text | None, Option("Its job label; without one, the service's name.")] = None
    statsd_host: Annotated[Text, Option("Host of the StatsD server.")] = "localhost"
    statsd_port: Annotated[Annotated[int, Meta(ge=1, le=65_535)], Option("UDP port of the StatsD server.")] = 8_125

    # -- the dashboard --------------------------------------------------------------

    dashboard: Annotated[
        bool,
        Option(
            "Whether this program serves otelkit's dashboard, from a thread of its own, and sends to it; see "
            "docs/dashboard.md."
        ),
    ] = False
    dashboard_host: Annotated[
        Text, Option("Address on which the dashboard is served; beyond the loopback, senders need a key, too.")
    ] = "127.0.0.1"
    dashboard_port: Annotated[
        Port | None,
        Option("Port of its pages and of OTLP/HTTP, 0 for a free one. Without one: 4318, or in a program a free one."),
    ] = None
    dashboard_grpc_port: Annotated[
        Annotated[int, Meta(ge=-1, le=65_535)] | None,
        Option(
            "Port of OTLP/gRPC, 0 for a free one, -1 for none. Without one: 4317 for the command, none in a program."
        ),
    ] = None
    dashboard_folder: Annotated[
        Text | None,
        Option(
            "Folder of its data. Without one: otelkit/dashboard in this user's state folder, in a program with the "
            "service's name behind.",
            path=True,
        ),
    ] = None
    dashboard_hosts: Annotated[
        tuple[str, ...], Option("Further host names by which it is reached, such as a proxy's.")
    ] = ()
    dashboard_token: Annotated[
        Text | None, Option("Token that readers must show. Without one, a new one with each start.", secret=True)
    ] = None
    dashboard_bytes: Annotated[
        Annotated[int, Meta(ge=1 << 20)], Option("Most that it keeps; beyond it the oldest goes.", unit="By")
    ] = 1 << 30
    dashboard_retention_s: Annotated[Seconds, Option("Age at which its data goes.", unit="s")] = 30 * 86_400.0

    # -- what metrics are like ----------------------------------------------------

    buckets: Annotated[
        tuple[float, ...] | None,
        Option(
            "Upper bounds of histograms of durations, ascending. Without any: those of the semantic conventions.",
            unit="s",
        ),
    ] = None
    histogram: Annotated[
        Literal["explicit", "exponential"],
        Option(
            "Kind of histogram.",
            otel="OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
            read=_text.histogram,
        ),
    ] = "explicit"
    cardinality_limit: Annotated[
        Count, Option("Label sets per metric, before further ones go to the overflow series.")
    ] = 2_000
    exemplars: Annotated[
        Literal["trace_based", "always_on", "always_off"],
        Option("Which observations may become exemplars.", otel="OTEL_METRICS_EXEMPLAR_FILTER"),
    ] = "trace_based"
    metrics: Annotated[
        dict[str, MetricRule],
        Option(
            "Rules per metric, by name or pattern (shop.*): enabled, buckets, drop_labels, rename_labels, "
            "cardinality_limit, across_workers. Sources are merged key by key. As a variable: JSON.",
        ),
    ] = {}

    # -- alerts -------------------------------------------------------------------

    alert_thresholds: Annotated[
        dict[str, float],
        Option(
            "Where alerts begin, by their names, for `otelkit rules write`; docs/alerts.md lists them. Sources are "
            "merged key by key."
        ),
    ] = {}
    alert_delays_s: Annotated[
        dict[str, float],
        Option("How long an alert's condition must hold, by its name. Sources are merged key by key.", unit="s"),
    ] = {}

    # -- secrets ------------------------------------------------------------------

    mask_secrets: Annotated[
        bool,
        Option("Whether credentials are masked in labels, span attributes, events and statuses; see docs/secrets.md."),
    ] = True
    secret_keys: Annotated[
        tuple[str, ...],
        Option("Further keys whose values are secret, names or patterns (customer.*); case is ignored."),
    ] = ()
    secret_keys_allowed: Annotated[
        tuple[str, ...], Option("Keys whose values are never masked, names or patterns; they win.")
    ] = ()
    secret_patterns: Annotated[
        tuple[str, ...],
        Option("Further regular expressions for secrets inside values. As a variable, one without a comma."),
    ] = ()

    sources: dict[str, str] = {}
    signals: dict[str, dict[str, Any]] = {}

    def __repr__(self) -> str:
        """Show what is not default, without secrets: representations end up in logs."""
        from otelkit.config._describe import display

        given = [f"{name}={display(name, getattr(self, name))!r}" for name in self.sources]
        return f"Settings({', '.join(given)})"

    def source(self, name: str) -> str:
        """Say where a value came from: argument, a variable's name, "otelkit.toml: key" or default."""
        getattr(self, name)
        return self.sources.get(name, "default")

    def resource(self) -> dict[str, Attribute]:
        """Return the resource's attributes, the service's among them."""
        service = {
            "service.name": self.service_name,
            "service.version": self.service_version,
            "service.namespace": self.service_namespace,
        }
        return {**self.resource_attributes, **{key: value for key, value in service.items() if value is not None}}

    def values(self) -> dict[str, Any]:
        """Return all settings as plain data, secrets included; `load` takes them as arguments."""
        fields = {name: getattr(self, name) for name in self.__struct_fields__ if name not in ("sources", "signals")}
        return {**fields, "metrics": to_builtins(self.metrics)}

    def rule(self, metric: str) -> MetricRule:
        """Return the rule of one metric: under its own name, else the first pattern in order that matches."""
        from fnmatch import fnmatchcase

        if metric in self.metrics:
            return self.metrics[metric]
        matches = (rule for pattern, rule in self.metrics.items() if fnmatchcase(metric, pattern))
        return next(matches, _NO_RULE)

    def otlp(self, signal: Literal["metrics", "traces"]) -> OtlpSettings:
        """
        Return what one signal's exporter must be given, all of it explicitly.

        A signal's own variable wins over the common one, over OTELKIT_* and the file, but not over an argument.
        The exporters would read it by themselves, if they were given None; but then an argument for a base URL,
        the timeout's two units and ``environ`` of `load` would not hold.
        """
        from otelkit.config._otlp import resolve

        return resolve(self, signal)


class OtlpSettings(Struct, frozen=True, kw_only=True):
    """
    How one signal is sent.

    Attributes:
        endpoint: Complete, for the exporter's constructor: with v1/metrics or v1/traces for http/protobuf.
        insecure: grpc only; None when the endpoint's scheme decides.
        sources: By name of the common setting (``otlp_endpoint``): where the value came from.
    """

    protocol: Literal["http/protobuf", "grpc"]
    endpoint: str
    headers: dict[str, str]
    timeout_s: float
    compression: Literal["none", "gzip", "deflate"]
    certificate: str | None
    client_key: str | None
    client_certificate: str | None
    insecure: bool | None
    sources: dict[str, str]

    def __repr__(self) -> str:
        """Show where it goes; headers are secret."""
        return f"OtlpSettings(protocol={self.protocol!r}, endpoint={masked_url(self.endpoint)!r})"


_NO_RULE = MetricRule()
