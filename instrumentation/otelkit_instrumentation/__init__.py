# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Instrumentors that OpenTelemetry finds by entry point; they use otelkit as any program would."""
