# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Grafana dashboards, made from the metric vocabulary.

What a dashboard shows is plain data (`panel`): it can be read, executed and documented without Grafana's package, which
only `grafana_json` imports. Metric, label and unit names are translated from `otelkit.semconv` by the exporter's rules.
"""
