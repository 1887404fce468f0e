# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The environment variables that are otelkit's own.

Every setting has one, ``OTELKIT_<NAME>``; docs/configuration.md lists them all.
OpenTelemetry's variables stand at the settings they mean, in otelkit/config/_settings.py.
"""

from __future__ import annotations

__all__ = ("OTELKIT_CONFIG_FILE", "OTELKIT_PREFIX", "RESERVED", "variable_of")

OTELKIT_PREFIX = "OTELKIT_"
"""
What otelkit's own variables start with. Whatever starts so must be a setting or `RESERVED`.
"""

OTELKIT_CONFIG_FILE = "OTELKIT_CONFIG_FILE"
"""
Path of the file to read instead of looking for one; ``/dev/null`` means no file at all.
"""

RESERVED = frozenset({OTELKIT_CONFIG_FILE})
"""
Variables of otelkit's that are no settings.
"""


def variable_of(name: str) -> str:
    """Return the variable of the setting ``name``: ``OTELKIT_EXPORT_INTERVAL_S``."""
    return OTELKIT_PREFIX + name.upper()
