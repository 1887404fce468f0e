# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""``python -m otelkit`` is the ``otelkit`` command."""

import sys

from otelkit.cli import main

if __name__ == "__main__":
    sys.exit(main())
