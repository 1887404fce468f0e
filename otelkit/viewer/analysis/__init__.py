# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What the viewer works out of the data: pure functions over plain data, without store, clock or web server."""
