# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
`Instrumentor`: what all of otelkit's have in common.

OpenTelemetry's loader knows the dependencies of a distribution only, and skips
an instrumentor's own check: so it is made here, where each knows its library.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection
from typing import Any, ClassVar

from opentelemetry.instrumentation.dependencies import DependencyConflictError, get_dependency_conflicts
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

from otelkit_instrumentation._patching import Patches

__all__ = ("Instrumentor",)


class Instrumentor(BaseInstrumentor):
    """
    One library's instrumentor: subclass this one directly, never another's subclass.

    (`BaseInstrumentor` keeps one instance per class and hands a parent's to its subclasses.)

    Attributes:
        title: The library's name, for people.
        requires: Distributions and versions, such as ``celery >= 5.4``; all are needed. Empty for the standard library.
        requires_any: The same, where one of them suffices.
        signals: What is recorded, in a few words; instrumentation/README.md is made from these.
    """

    title: ClassVar[str]
    requires: ClassVar[tuple[str, ...]] = ()
    requires_any: ClassVar[tuple[str, ...]] = ()
    signals: ClassVar[str]

    _patches: Patches | None = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return what `requires` says."""
        return self.requires

    @abstractmethod
    def patch(self, patches: Patches, **options: Any) -> None:
        """
        Make the changes, or have them made when the library is imported; import nothing of it.

        Args:
            patches: Makes them, and undoes them.
            options: What the user gave to `otelkit.instrument`, or whoever loads it; unknown ones are to be ignored.
        """

    def _instrument(self, **kwargs: Any) -> None:
        conflict = get_dependency_conflicts(self.requires, self.requires_any)
        if conflict is not None:
            raise DependencyConflictError(conflict)
        patches = Patches(self.title)
        try:
            self.patch(patches, **kwargs)
        except BaseException:
            patches.restore()
            raise
        self._patches = patches

    def _uninstrument(self, **kwargs: Any) -> None:
        patches, self._patches = self._patches, None
        if patches is not None:
            patches.restore()
