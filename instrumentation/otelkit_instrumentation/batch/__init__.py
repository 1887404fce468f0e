# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Batch engines, in one vocabulary: `otelkit.jobs` records, each module here tells it of one engine."""
