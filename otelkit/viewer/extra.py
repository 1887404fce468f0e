# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What the dashboard needs, besides otelkit's own dependencies."""

from __future__ import annotations

from importlib.util import find_spec

from otelkit.exceptions import ConfigurationError

__all__ = ("is_installed", "require_extra")

_PACKAGES = ("numpy", "starlette", "uvicorn")


def is_installed() -> bool:
    """Tell whether the extra is installed."""
    return not _missing()


def require_extra() -> None:
    """
    Look for the extra.

    Errors: ConfigurationError with the command that installs it.
    """
    missing = _missing()
    if missing:
        raise ConfigurationError(
            f"the packages {', '.join(_PACKAGES)}", f"no {' and no '.join(missing)}", "dashboard",
            "Install them: pip install 'otelkit[dashboard]'",
        )  # fmt: skip


def _missing() -> list[str]:
    return [name for name in _PACKAGES if find_spec(name) is None]
