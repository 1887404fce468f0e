# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The answers: one module for each endpoint, named as it is, with a function ``answer``."""
