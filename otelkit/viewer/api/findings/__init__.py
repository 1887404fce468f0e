# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What needs a look: one module for each kind of subject, all with the thresholds of viewer.md, section 4."""
