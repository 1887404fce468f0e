# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""How long to wait between attempts."""

from __future__ import annotations

import random
from dataclasses import dataclass

# Below that, a receiver that answers "Retry-After: 0" for ever would be asked without a pause.
_SHORTEST_S = 0.05


@dataclass(frozen=True, slots=True)
class Backoff:
    """
    Exponential, with jitter, so that many clients do not come back at one moment.

    Args:
        first_s: Seconds before the second attempt.
        longest_s: Seconds that no wait exceeds, but for a receiver's own wish.
    """

    first_s: float = 1.0
    longest_s: float = 30.0

    def delay_s(self, failures: int, wish_s: float | None = None) -> float:
        """Return the seconds to wait after ``failures`` failures in a row, 1 or more; ``wish_s`` is the receiver's."""
        if wish_s is not None:
            return max(_SHORTEST_S, wish_s)
        longest = min(self.longest_s, self.first_s * 2 ** min(failures - 1, 30))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
