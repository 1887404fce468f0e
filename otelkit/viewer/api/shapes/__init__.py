# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What the API answers: one file per page, and the marks that pages share."""
