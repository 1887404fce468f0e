# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Decorators beside what else stands above and below functions in everyday Python."""

from __future__ import annotations

import copy
import functools
import pickle
import threading
from typing import Any

import pytest
import wrapt

import otelkit
from otelkit.exceptions import DeclarationError
from otelkit.instruments.registry import default_registry


def test_a_service_may_have_descriptors_that_are_no_methods() -> None:
    """cached_property, partialmethod and singledispatchmethod of a service stay what they are."""

    @otelkit.service
    class Shop:
        @functools.cached_property
        def size(self) -> int:
            return 5

        def price(self, factor: int, amount: int = 1) -> int:
            return factor * amount

        double = functools.partialmethod(price, 2)

        @functools.singledispatchmethod
        def show(self, item: Any) -> str:
            return "something"

        @show.register
        def _(self, item: int) -> str:
            return "a number"

    shop = Shop()
    assert (shop.size, shop.double(4), shop.show(1), shop.show("a")) == (5, 8, "a number", "something")


def test_a_publisher_may_have_descriptors_that_are_no_methods() -> None:
    """A cached_property of a publisher stays what it is."""

    @otelkit.publisher
    class Bus:
        @functools.cached_property
        def size(self) -> int:
            return 5

        def send(self, event: str) -> str:
            return event

    assert (Bus().size, Bus().send("paid")) == (5, "paid")


def test_a_cached_function_keeps_the_methods_of_its_cache() -> None:
    """cache_clear and cache_info are there on a metered function and on a service's method."""

    @otelkit.metered
    @functools.lru_cache
    def load(key: int) -> int:
        return key

    @otelkit.service
    class Store:
        @functools.lru_cache  # noqa: B019 - what users write
        def load(self, key: int) -> int:
            return key

    store = Store()
    for cached, call in ((load, load), (Store.load, store.load)):
        assert [call(1), call(1)] == [1, 1]
        assert cached.cache_info().hits == 1
        cached.cache_clear()
        assert cached.cache_info().hits == 0


@pytest.mark.parametrize("kind", [property, functools.cached_property])
def test_a_decorated_property_is_told_where_the_decorator_belongs(kind: Any) -> None:
    """The decorator above a property raises, and says that it belongs below."""
    with pytest.raises(DeclarationError, match=f"Write @otelkit.metered below @{kind.__name__}"):
        otelkit.metered(kind(lambda self: 1))


def test_a_rate_can_be_copied_and_pickled() -> None:
    """A copy of a rate is the rate of that name."""
    made = otelkit.rate("copied_rate", otelkit.counter("copied_total_of_rate"))
    assert copy.deepcopy(made) is made
    assert pickle.loads(pickle.dumps(made)) is made


@pytest.mark.parametrize("decorator", [otelkit.metered, otelkit.observed])
def test_calls_that_ran_out_of_stack_are_not_active_for_ever(decorator: Any) -> None:
    """After a RecursionError no call is under way, however deep the recording had to give up."""
    name = f"endless.{decorator.__name__}"

    @decorator(name=name)
    def endless(depth: int) -> int:
        return endless(depth + 1)

    for _ in range(20):
        with pytest.raises(RecursionError):
            endless(0)
    points = {found.metric.name: found.points for found in default_registry.snapshot()}
    assert points[f"{name}.calls"][0].value > 1_000
    assert points[f"{name}.active_calls"][0].value == 0


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: otelkit.job("cleanup"), r"got cleanup - at @otelkit.job. Write @otelkit.job\(name='cleanup'\)."),
        (lambda: otelkit.traced(kind="server")(len), r"Expected kind as a SpanKind, got server - .*SpanKind.SERVER"),
        (lambda: otelkit.observed(kind=1)(len), r"Expected kind as a SpanKind, got 1 - "),
        (lambda: otelkit.counter(""), r"got '' - at counter ''"),
        (lambda: otelkit.counter("a\n"), r"got 'a\\n' - at counter 'a\\n'"),
    ],
)
def test_what_is_wrong_can_be_seen(declare: Any, message: str) -> None:
    """The error names the rule, shows what came, even if that is blank, and the remedy."""
    with pytest.raises(DeclarationError, match=message):
        declare()


def test_an_error_can_be_sent_to_another_process() -> None:
    """A worker's declaration error is the same error in the process that waits for the worker."""
    with pytest.raises(DeclarationError) as caught:
        otelkit.metered(threading.Lock())  # type: ignore[type-var]
    sent = pickle.loads(pickle.dumps(caught.value))
    assert (type(sent), str(sent)) == (DeclarationError, str(caught.value))


def test_a_decorator_above_action_stays() -> None:
    """What checks the caller's rights is never taken away by a service, wherever it stands, also when inherited."""

    def signed_in(method: Any) -> Any:
        @functools.wraps(method)
        def checked(self: Any) -> Any:
            if not self.user:
                raise PermissionError
            return method(self)

        return checked

    @otelkit.service
    class Guarded:
        user = ""

        @signed_in
        @otelkit.action(name="read")
        def above(self) -> str:
            return "secret"

        @otelkit.action(name="write")
        @signed_in
        def below(self) -> str:
            return "secret"

        @signed_in
        @otelkit.metered
        def metered(self) -> str:
            return "secret"

        def open_to_all(self) -> str:
            return "secret"

    @otelkit.service
    class GuardedToo(Guarded):
        open_to_all = signed_in(Guarded.open_to_all)

    for call in (
        Guarded().above,
        Guarded().below,
        Guarded().metered,
        GuardedToo().above,
        GuardedToo().below,
        GuardedToo().open_to_all,
    ):
        with pytest.raises(PermissionError):
            call()
    served = GuardedToo()
    served.user = "me"
    assert [served.above(), served.below(), served.open_to_all()] == ["secret"] * 3


def test_wrapts_decorators_stay_in_classes() -> None:
    """wrapt's proxies of methods, class methods and static methods go on working in services and publishers."""

    @wrapt.decorator
    def doubled(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        return 2 * wrapped(*args, **kwargs)

    class Plain:
        @doubled
        def method(self) -> int:
            return 1

        @doubled
        @classmethod
        def of_class(cls) -> str:
            return cls.__name__

        @doubled
        @staticmethod
        def static(number: int) -> int:
            return number

    for decorate in (otelkit.service(name="proxied"), otelkit.publisher):
        cls: Any = decorate(type("Proxied", (Plain,), dict(vars(Plain))))
        assert (cls().method(), cls.of_class(), cls().of_class(), cls.static(3)) == (
            2,
            "ProxiedProxied",
            "ProxiedProxied",
            6,
        )
    with pytest.raises(DeclarationError, match=r"Write @otelkit\.metered below"):
        otelkit.metered(vars(Plain)["of_class"])
