# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Why a request cannot be answered."""

from __future__ import annotations

from otelkit.viewer.api.shapes.health import Problem


class Refused(Exception):  # noqa: N818 - it is an answer, and no failure of ours
    """
    A request that cannot be answered.

    Attributes:
        status: Of HTTP.
        problem: What is sent.
    """

    status = 400

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.problem = Problem(error=type(self).__name__.lower(), message=message, remedy=remedy)


class Invalid(Refused):
    """A parameter is not as it should be."""


class Missing(Refused):
    """What was asked for is not there."""

    status = 404

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.problem.error = "not_found"
