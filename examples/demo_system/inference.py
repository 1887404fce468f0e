# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""An inference loop: magika's model (ONNX, inside its package) tells what a file holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from magika import Magika
from magika.types import MagikaResult

import otelkit

batch_size = otelkit.histogram(
    "detect.batch_size", unit="{file}", buckets=[1, 4, 8, 16, 32, 64], description="Files in one call of the model."
)
detected = otelkit.counter(
    "detect.files", labels=["content_type"], unit="{file}", description="Files identified, by what they hold."
)
score = otelkit.summary("detect.score", unit="1", description="How sure the model is, 0 to 1.")


class Detector:
    """
    The model, loaded and warm.

    The first call allocates and optimises and is several times slower than the next:
    it has a series of its own (``warmup="true"``), so that it spoils no quantile.
    """

    def __init__(self) -> None:
        self._magika = Magika()
        self.model = self._magika.get_model_name()

    def warm_up(self, batch: Sequence[Path]) -> None:
        """Run the model once on ``batch``."""
        self.detect(batch, model=self.model, warmup=True)

    def run(self, batch: Sequence[Path]) -> None:
        """Identify one batch of files."""
        self.detect(batch, model=self.model, warmup=False)

    @otelkit.observed(name="detect", labels=["warmup", "model"])
    def detect(self, batch: Sequence[Path], *, model: str, warmup: bool) -> None:
        """Identify ``batch``; the labels are the arguments of their names."""
        batch_size.observe(len(batch))
        # The vocabulary of all models, beside the metrics of the demo's own: the dashboard's Inference page draws it.
        with otelkit.inference(model, engine="magika", batch_size=len(batch), warmup=warmup) as step:
            with step.phase("compute"):
                results = self._magika.identify_paths(batch)
            with step.phase("postprocess"):
                for result in results:
                    self._count(result)

    def _count(self, result: MagikaResult) -> None:
        if result.ok:
            detected.labels(content_type=result.output.label).increment()
            score.observe(result.score)
        else:
            detected.labels(content_type=str(result.status)).increment()
