# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The environment variables that are otelkit's own.

Every setting has one, ``OTELKIT_<NAME>``; docs/configuration.md lists them all.
OpenTelemetry's variables stand at the settings they mean, in otelkit/config/_settings.py.
"""

from __future__ import annotations

import re

__all__ = ("OTELKIT_CONFIG_FILE", "OTELKIT_PREFIX", "RESERVED", "is_service_link", "variable_of")

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


_SERVICE_LINK = re.compile(r"\w+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)")


def is_service_link(variable: str, value: str) -> bool:
    """
    Tell whether Kubernetes set ``variable``, not a person.

    It gives every pod variables for each Service; one named ``otelkit-collector``
    makes ``OTELKIT_COLLECTOR_PORT=tcp://10.0.0.1:4318`` and its like.
    """
    return bool(_SERVICE_LINK.fullmatch(variable)) or (variable.endswith("_PORT") and "://" in value)
