# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Models: what runs them records the `inference.*` vocabulary, see `otelkit.loops`."""
