# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""``python -m otelkit.config > docs/configuration.md`` writes the page again."""

from __future__ import annotations

import sys

from otelkit.config._page import page

if __name__ == "__main__":
    sys.stdout.write(page())
