# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What test_inference_vocabulary.py needs to know of an engine; one small class for each."""

from __future__ import annotations

from typing import Any


class Adapter:
    """
    One engine with a small real model.

    Made once per test, after its library has been instrumented; imports the library when it is made.

    Attributes:
        name: For `otelkit.instrument`.
        engine, model, operation: The labels that `call` is expected to give.
        spans: Whether each call gets a span by default.
    """

    name: str
    engine: str
    model: str
    operation: str
    spans: bool = True

    def call(self, rows: int) -> Any:
        """Call the model once, on so many items."""
        raise NotImplementedError

    def fail(self) -> None:
        """Call the model once, such that it raises an error of its own."""
        raise NotImplementedError

    def nested(self, rows: int) -> dict[str, str]:
        """Call something that calls other recorded things inside; return the labels of the one record expected."""
        raise NotImplementedError

    def originals(self) -> list[Any]:
        """Return the library's own objects that are patched, as they are now."""
        raise NotImplementedError
