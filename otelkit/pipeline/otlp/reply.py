# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What a receiver's answer means, whichever protocol it came over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Signal = Literal["metrics", "traces"]

Verdict = Literal["delivered", "retry", "too_large", "refused"]


@dataclass(frozen=True, slots=True)
class Reply:
    """
    One answer.

    Attributes:
        verdict: ``delivered``: acknowledged. ``retry``: may come again. ``too_large``: may come again in parts.
            ``refused``: must not come again.
        reason: Why it was not delivered, for people.
        body: Of a delivered request: the ExportServiceResponse.
        retry_after_s: Seconds that the receiver wants to be left alone, or None.
    """

    verdict: Verdict
    reason: str = ""
    body: bytes = b""
    retry_after_s: float | None = None


class Transport(Protocol):
    """Carries serialized requests to one receiver; used by one thread at a time."""

    def send(self, body: bytes, timeout_s: float) -> Reply:
        """Send one ExportServiceRequest and return the answer; waits at most about ``timeout_s``. Never raises."""
        ...

    def reset(self) -> None:
        """Forget connections, as a forked child must: they are the parent's."""
        ...

    def close(self) -> None:
        """Close connections; a request under way fails."""
        ...
