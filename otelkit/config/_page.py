# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""docs/configuration.md, made from the settings."""

from __future__ import annotations

from otelkit.config._definition import Setting
from otelkit.config._describe import describe

_INTRODUCTION = """\
<!-- Made by `python -m otelkit.config > docs/configuration.md`; a test holds it up to date. -->

# Configuration

Every setting below can be given in four ways. The first that has it wins:

1. an argument: `otelkit.configure(export_interval_s=10)`;
2. OpenTelemetry's own variable, where there is one: `OTEL_METRIC_EXPORT_INTERVAL=10000`;
3. otelkit's variable: `OTELKIT_EXPORT_INTERVAL_S=10`;
4. a file: `otelkit.toml`, or the table `[tool.otelkit]` of `pyproject.toml`.

`otelkit doctor` shows the values in force and where each came from. A mistake raises
`otelkit.exceptions.ConfigurationError` at start: what was expected, what came, where, and the remedy. An unknown key
is a mistake too, also among the variables that start with `OTELKIT_`.

## The file

```toml
service_name = "shop"
metrics_exporters = ["otlp", "prometheus"]
export_interval_s = 10

[resource_attributes]
"deployment.environment.name" = "production"

[metrics."shop.orders"]
buckets = [0.01, 0.1, 1]
drop_labels = ["user"]
rename_labels = { tier = "user_tier" }

[metrics."debug.*"]
enabled = false
```

It is looked for in the current directory and upwards; the nearest is read, and `otelkit.toml` before `pyproject.toml`.
`OTELKIT_CONFIG_FILE` names another, and `/dev/null` means none. Relative paths start from the file's folder.

A metric's rule is the one under its name, else the first pattern in order that matches:

| key | what it does |
|---|---|
| `enabled` | `false` drops the metric |
| `buckets` | upper bounds in the metric's unit, ascending |
| `drop_labels` | labels to leave out; their series are added up |
| `rename_labels` | new name by old name |
| `hash_labels` | labels whose values are replaced by one of a few, `#00` to `#3f`: bounded, and the same everywhere |
| `hash_buckets` | how many there are, 64 unless set |
| `cardinality_limit` | label sets, before further ones go to the overflow series |

## Variables

An empty variable counts as not set. Lists are separated by commas (`none` is the empty list), tables are
`key=value,key=value` with percent-encoding, and `OTELKIT_METRICS` is JSON. Of OpenTelemetry's truth values only `true`
is true, in any case, as the specification says; otelkit's take `true`, `false`, `1` and `0`. A malformed number or name
raises, also in OpenTelemetry's variables.

`service.name`, `service.version` and `service.namespace` in `OTEL_RESOURCE_ATTRIBUTES` count as the settings of those
names, unless the same source has the setting itself.

OTLP's settings have one variable more for each signal, as in `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT` and
`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`. For its signal it wins over everything but an argument.

## Settings

| setting | type | default | OpenTelemetry's variable | what it does |
|---|---|---|---|---|
"""


def page() -> str:
    """Return the whole page."""
    return _INTRODUCTION + "".join(_row(setting) for setting in describe())


def _row(setting: Setting) -> str:
    kind = setting.type + (f", {setting.unit}" if setting.unit else "")
    otel = f"`{setting.option.otel}`" if setting.option.otel else ""
    if setting.option.per_signal:
        otel += " and per signal"
    what = setting.help + (" Secret: never shown." if setting.secret else "")
    cells = (f"`{setting.name}`", kind, _default(setting.default), otel, what)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _default(value: object) -> str:
    if value is None or value == {}:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(value) if isinstance(value, tuple) else str(value)
