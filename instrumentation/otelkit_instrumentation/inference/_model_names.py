# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Names of models, of low cardinality, from where they were loaded and what they call themselves."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any

__all__ = ("name_of_checkpoint", "name_of_file", "name_of_graph")

UNNAMED = "unnamed"

_MEANINGLESS = re.compile(
    r"model([_.-](quantized|optimized|fp16|fp32|int8|uint8|q4|q4f16|bnb4|o[1-4]|merged))*"
    r"|onnx|weights|snapshots|main_graph|(torch|main)[_-]?jit.*|torch-jit-export|tf2onnx|graph|onnxmltools|[0-9a-f]{12,}"
    r"|tmp\w*|temp|\.|",
    re.IGNORECASE,
)
"""What exporters and model hubs call everything, and what is different each time."""

_HUB = re.compile(r"models--(?P<owner>[^/]+?)--(?P<name>.+)")
"""A folder of Hugging Face's cache."""

_ON_HUB = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
"""``gpt2``, ``openai-community/gpt2``; a folder in the working directory may look the same, and is as good a name."""

_FOLDERS = 4
"""Folders above a file in which a name is looked for."""


def name_of_file(path: Any) -> str:
    """Return the file's stem, or the name of the nearest folder that says more than ``model`` or a hash."""
    pure = PurePath(str(path))
    for name in (pure.stem, *(folder.name for folder in list(pure.parents)[:_FOLDERS])):
        hub = _HUB.fullmatch(name)
        if hub is not None:
            return f"{hub['owner']}/{hub['name']}"
        if not _MEANINGLESS.fullmatch(name):
            return name
    return pure.stem or UNNAMED


def name_of_checkpoint(name_or_path: Any, kind: str) -> str:
    """Return the name on the hub, or the folder's, of a checkpoint; ``kind``, its class, if it was never loaded."""
    text = str(name_or_path or "")
    if not text:
        return kind
    if _ON_HUB.fullmatch(text) and not PurePath(text).is_absolute():
        return text
    name = name_of_file(f"{text}/model")
    return kind if name == "model" else name


def name_of_graph(name: str) -> str:
    """Return the name that a model without a file gives itself, if it says anything."""
    return UNNAMED if _MEANINGLESS.fullmatch(name) else name
