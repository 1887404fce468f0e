# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
OTLP messages in OTLP's JSON, which is protobuf's JSON but for ids and enums.

Source: OTLP specification 1.x, "JSON Protobuf Encoding": trace and span ids
are hexadecimal, enums are integers, 64-bit integers strings, keys
lowerCamelCase; other bytes stay base64.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

_IDS = frozenset({"traceId", "spanId", "parentSpanId"})


def to_json_line(message: Message) -> bytes:
    """Return ``message`` as one line of UTF-8, newline included."""
    document = MessageToDict(message, use_integers_for_enums=True)
    _ids_to_hex(document)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n"


def _ids_to_hex(node: Any) -> None:
    # Keys are field names only: a user's attribute sits in {"key": ..., "value": ...}, so none can look like an id.
    if isinstance(node, list):
        for item in node:
            _ids_to_hex(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in _IDS:
                node[key] = base64.b64decode(value).hex()
            elif isinstance(value, dict | list):
                _ids_to_hex(value)
