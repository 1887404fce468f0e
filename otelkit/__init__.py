# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""otelkit: OpenTelemetry instrumentation that costs less than a microsecond."""
