# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document and the page that is made of the same definition."""

from __future__ import annotations

import json
from pathlib import Path

from support.viewer_shop import Shop

from otelkit.viewer.api import page
from otelkit.viewer.api.endpoints import ENDPOINTS, PREFIX

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_is_current() -> None:
    """`make docs` would change nothing."""
    assert (DOCS / "dashboard-api.md").read_text("utf-8") == page.render()


def test_the_document_names_every_endpoint_with_its_parameters(shop: Shop) -> None:
    """And describes each field that an answer has."""
    document = shop.json("openapi.json")
    others = {f"{PREFIX}/stream", f"{PREFIX}/recordings"}
    assert set(document["paths"]) == {PREFIX + each.path for each in ENDPOINTS} | others
    window = {each["name"] for each in document["paths"][f"{PREFIX}/overview"]["get"]["parameters"]}
    assert window == {"from", "to", "columns", "step", "q", "format", "part"}
    line = document["components"]["schemas"]["Line"]
    assert "never interpolated" in line["properties"]["values"]["description"]
    assert "Attributes:" not in json.dumps(document["components"])


def test_every_answer_has_the_fields_that_the_document_says(shop: Shop) -> None:
    """No more and no less, at the top."""
    schemas = shop.json("openapi.json")["components"]["schemas"]
    for path, name in (("overview", "Overview"), ("frame", "Frame"), ("traces", "Traces"), ("status", "Status")):
        assert set(shop.json(path)) == set(schemas[name]["properties"])
