# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime, with the model that magika brings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engines.adapters.adapter import Adapter


class OnnxRuntimeAdapter(Adapter):
    """Detection of file types: a session by itself, and through magika."""

    name = engine = "onnxruntime"
    model = "standard_v3_3"
    operation = "run"

    def __init__(self) -> None:
        import magika
        import onnxruntime

        self.magika = magika.Magika()
        (path,) = Path(magika.__file__).parent.glob(f"models/{self.model}/model.onnx")
        self.session = onnxruntime.InferenceSession(path)

    def call(self, rows: int) -> Any:
        return self.session.run(["target_label"], {"bytes": [[0] * 2048] * rows})

    def fail(self) -> None:
        self.session.run(["target_label"], {"bytes": [[0] * 5]})

    def nested(self, rows: int) -> dict[str, str]:
        assert self.magika.identify_bytes(b"import os\nprint(os.getcwd())\n" * rows).output.label == "python"
        return {"inference.model": self.model, "inference.operation": "run"}

    def originals(self) -> list[Any]:
        from onnxruntime.capi.onnxruntime_inference_collection import Session

        return [method for name, method in vars(Session).items() if name.startswith("run")]
