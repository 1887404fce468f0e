# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What a call, a scrape and a series cost: otelkit beside its rivals. Run ``python -m benchmarks``."""
