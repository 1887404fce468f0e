# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Prometheus' recording and alert rules, made from the metric vocabulary.

The rules are plain data; only `rules_yaml` needs a YAML package.
"""
