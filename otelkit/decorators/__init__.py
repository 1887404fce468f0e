# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
