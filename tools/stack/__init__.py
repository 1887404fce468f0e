# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The real stack on this machine, without containers: Collectors, Jaeger, Prometheus, with the files of collector-config.

    PYTHONPATH=tools python -m stack up      # `make stack`, which builds the programs first
    PYTHONPATH=tools python -m stack down    # `make stack-down`

Standard library only.
"""
