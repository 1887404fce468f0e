# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The viewer's REST API: one endpoint per thing that a page draws, from one definition in `endpoints`."""
