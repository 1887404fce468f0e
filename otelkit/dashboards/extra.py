# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What writing dashboards and rules needs, besides otelkit's own dependencies."""

from __future__ import annotations

from importlib.util import find_spec

from otelkit.exceptions import ConfigurationError

__all__ = ("require_extra",)

_PACKAGES = {"grafana_foundation_sdk": "grafana-foundation-sdk", "yaml": "PyYAML"}


def require_extra() -> None:
    """
    Look for the extra.

    Errors: ConfigurationError with the command that installs it.
    """
    missing = [package for module, package in _PACKAGES.items() if find_spec(module) is None]
    if missing:
        raise ConfigurationError(
            f"the packages {' and '.join(_PACKAGES.values())}", f"no {' and no '.join(missing)}", "grafana",
            "Install them: pip install 'otelkit[grafana]'",
        )  # fmt: skip
