# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""schemathesis before the API: what the OpenAPI document says holds for whatever is asked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from support.viewer import Viewer
from support.viewer_shop import Shop

from otelkit.viewer.api.endpoints import ENDPOINTS, PREFIX

pytestmark = pytest.mark.dashboard


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A dashboard with some minutes of a shop."""
    with Viewer(tmp_path_factory.mktemp("shop")) as running:
        made = Shop(running, time.time())
        made.fill()
        yield made


@pytest.fixture(scope="module")
def schema(shop: Shop) -> Any:
    """The document that it serves."""
    url = f"http://127.0.0.1:{shop.viewer.port}/api/v1/openapi.json"
    return schemathesis.openapi.from_url(url, headers=authorization(shop))


def authorization(shop: Shop) -> dict[str, str]:
    """Return the token as a header."""
    return {"Authorization": f"Bearer {shop.viewer.dashboard.access.token}"}


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("path", [PREFIX + each.path for each in ENDPOINTS])
def test_every_answer_is_as_the_document_says(schema: Any, shop: Shop, path: str, mode: GenerationMode) -> None:
    """Never a 500; statuses, types and shapes as documented; what is not allowed is refused."""

    @given(case=schema[path]["GET"].as_strategy(generation_mode=mode))
    @settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def holds(case: Any) -> None:
        # A schema cannot say that one parameter has to be before another, or that a name has to exist.
        case.call_and_validate(headers=authorization(shop), excluded_checks=[positive_data_acceptance])

    holds()
