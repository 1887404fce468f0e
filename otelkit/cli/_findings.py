# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What a check of ``otelkit doctor`` found."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

__all__ = ("Finding", "Status", "worst")


class Status(StrEnum):
    """How much a finding matters, from least to most."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    BROKEN = "broken"


_ORDER = list(Status)


class Finding(NamedTuple):
    """
    One finding.

    Attributes:
        section: The heading it stands under.
        check: A stable identifier for programs, such as ``endpoint.traces``.
        status: Only ``broken`` makes the command fail.
        message: What was found, one sentence.
        fix: What to do about it, a command or a setting; empty when there is nothing to do.
    """

    section: str
    check: str
    status: Status
    message: str
    fix: str = ""


def worst(findings: Iterable[Finding]) -> Status:
    """Return the status that matters most among ``findings``; ``ok`` when there are none."""
    return max((finding.status for finding in findings), key=_ORDER.index, default=Status.OK)
