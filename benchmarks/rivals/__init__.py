# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""One module per rival; each is imported in a process and an environment of its own."""
