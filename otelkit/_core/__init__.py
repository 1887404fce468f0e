# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The machine behind the public names: cells, buckets, clock, guard. Standard library only."""
