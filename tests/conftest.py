# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What all tests share."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

# A loaded machine takes longer for an example than hypothesis allows, and that is no bug.
settings.register_profile("otelkit", deadline=None)
settings.load_profile("otelkit")


@pytest.fixture(scope="session", autouse=True)
def _state_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep spans that tests could not deliver out of the user's own state folder; programs that tests start too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _interrupts() -> None:
    """
    Let programs that tests start be interrupted, whatever started the tests.

    A shell without job control starts what it puts into the background with SIGINT ignored, and that is inherited.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
