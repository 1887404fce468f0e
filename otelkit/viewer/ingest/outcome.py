# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What became of a request, in words that HTTP and gRPC share."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ("MALFORMED", "OVERLOADED", "STORAGE", "TOO_LARGE", "Outcome")


class Outcome(NamedTuple):
    """
    How a request is answered.

    Attributes:
        http: Status.
        grpc: Code, of google.rpc.Code.
        refused: Points or spans that were not taken, of a request that was.
        message: For whoever sent it.
        retry_s: When to try again, 0 for not at all.
    """

    http: int = 200
    grpc: int = 0
    refused: int = 0
    message: str = ""
    retry_s: int = 0


# The statuses are OTLP's: 400, 413 and InvalidArgument must not be sent again, 429, 503 and Unavailable should.
MALFORMED = Outcome(400, 3, message="The request is not what it says: it cannot be decoded.")
TOO_LARGE = Outcome(413, 3, message="The request is larger than the viewer takes: send smaller ones.")
OVERLOADED = Outcome(429, 14, message="More is arriving than can be written.", retry_s=1)
STORAGE = Outcome(503, 14, message="The viewer's data cannot be written just now: is its disk full?", retry_s=5)
CLOSING = Outcome(503, 14, message="The viewer is ending.", retry_s=5)
