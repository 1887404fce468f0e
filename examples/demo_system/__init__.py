# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The small real system that ``otelkit demo`` runs: a shop, a batch, a model.

Read it as an example: `shop` is a decorated service, `batch` measures a process
pool from the outside, `inference` measures a model. `system` holds them together.
"""
