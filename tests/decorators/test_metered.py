# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""`metered`, `traced` and `observed` on every kind of function, and what they leave as it was."""

from __future__ import annotations

import asyncio
import functools
import inspect
import math
import traceback
from collections.abc import AsyncIterator, Iterator
from enum import Enum
from typing import Any

import pytest
from support.metrics import fresh, point, points, series, total

import otelkit
from otelkit import testing
from otelkit.exceptions import DeclarationError


class Odd(Exception):
    """What the functions of these tests raise."""


def _counts(name: str) -> tuple[float, float, float, float]:
    return tuple(total(f"{name}.{part}") for part in ("calls", "active_calls", "errors", "duration"))  # type: ignore[return-value]


# -- kinds ----------------------------------------------------------------------


def test_a_function_keeps_everything_that_wraps_keeps() -> None:
    """Signature, docstring, name, annotations, ``__wrapped__`` and kind."""

    def plain(a: int, /, b: str = "x", *args: int, c: float, d: None = None, **more: object) -> str:
        """Documented."""
        return f"{a}{b}{args}{c}{d}{sorted(more)}"

    metered = otelkit.metered(plain)
    assert inspect.signature(metered) == inspect.signature(plain)
    assert (
        inspect.signature(metered, follow_wrapped=False).parameters.keys() == inspect.signature(plain).parameters.keys()
    )
    assert (metered.__doc__, metered.__name__, metered.__qualname__) == ("Documented.", "plain", plain.__qualname__)
    assert metered.__wrapped__ is plain  # type: ignore[attr-defined]
    assert metered.__module__ == __name__
    assert metered.__annotations__ == plain.__annotations__
    assert metered(1, "y", 2, 3, c=4.0, e=5) == plain(1, "y", 2, 3, c=4.0, e=5)
    assert metered(1, c=0.0) == plain(1, c=0.0)


@pytest.mark.parametrize("decorator", [otelkit.metered, otelkit.traced, otelkit.observed, otelkit.job])
def test_kinds_of_functions_stay_what_they_are(decorator: Any) -> None:
    """A coroutine function stays one, and so for generators and async generators."""

    async def coroutine() -> None: ...
    def generator() -> Iterator[int]:
        yield 1

    async def async_generator() -> AsyncIterator[int]:
        yield 1

    assert inspect.iscoroutinefunction(decorator(coroutine))
    assert inspect.isgeneratorfunction(decorator(generator))
    assert inspect.isasyncgenfunction(decorator(async_generator))
    assert not inspect.iscoroutinefunction(decorator(lambda: None))


def test_names_that_the_wrapper_uses_itself_are_no_trouble() -> None:
    """Parameters may be called like builtins, and like what otelkit calls its own."""
    name = fresh("names")

    @otelkit.metered(name=name, labels=["next"])
    def call(  # the point: these names hide the builtins
        next: str,  # noqa: A002
        BaseException: int = 1,  # noqa: A002
        Exception: int = 2,  # noqa: A002
        _o_cell: int = 3,
    ) -> tuple[Any, ...]:
        return next, BaseException, Exception, _o_cell

    assert call("a", 5) == ("a", 5, 2, 3)
    assert series(f"{name}.calls") == {(("next", "a"),): 1}

    @otelkit.metered(name=f"{name}.plain")
    def handle(request: int, next: Any) -> Any:  # noqa: A002
        return next(request)

    assert handle(1, lambda request: request + 1) == 2
    assert _counts(f"{name}.plain") == (1, 0, 0, 1)


def test_mutable_defaults_and_exact_defaults_are_the_function_s_own() -> None:
    """A default is the same object, not a copy."""
    marker: list[int] = []

    @otelkit.metered(name=fresh("defaults"))
    def call(into: list[int] = marker, *, other: list[int] = marker) -> bool:
        return into is marker and other is marker

    assert call()


def test_methods_static_and_class_methods_in_both_orders() -> None:
    """Whichever decorator comes first, a call is recorded once and binds as it should."""
    name = fresh("methods")

    class Shop:
        @otelkit.metered(name=name)
        def method(self) -> Any:
            return self

        @staticmethod
        @otelkit.metered(name=name)
        def static(value: int) -> int:
            return value

        @otelkit.metered(name=name)
        @staticmethod
        def static_too(value: int) -> int:
            return value

        @classmethod
        @otelkit.metered(name=name)
        def of(cls) -> type:
            return cls

        @otelkit.metered(name=name)
        @classmethod
        def of_too(cls) -> type:
            return cls

    shop = Shop()
    assert shop.method() is shop
    assert (shop.static(1), Shop.static_too(2)) == (1, 2)
    assert (Shop.of(), shop.of_too()) == (Shop, Shop)
    assert _counts(name) == (5, 0, 0, 5)


def test_partials_builtins_lambdas_and_callable_objects() -> None:
    """Whatever can be called can be recorded."""
    name = fresh("callables")

    class Application:
        async def __call__(self, value: int) -> int:
            await asyncio.sleep(0.02)
            return value

    decorate = otelkit.metered(name=name)
    assert decorate(functools.partial(max, 1))(2) == 2
    assert decorate(len)("abc") == 3
    assert decorate(lambda: 4)() == 4
    application = decorate(Application())
    assert inspect.iscoroutinefunction(application)
    assert asyncio.run(application(5)) == 5
    assert _counts(name) == (4, 0, 0, 4)
    assert point(f"{name}.duration").max >= 0.02


# -- exceptions -----------------------------------------------------------------


@pytest.mark.parametrize("decorator", [otelkit.metered, otelkit.observed])
def test_the_caller_s_exception_passes_untouched(decorator: Any) -> None:
    """The same object, with the user's frame in its traceback and its cause and context as they were."""
    name = fresh("raise")
    cause, error = KeyError("cause"), Odd("mine")

    @decorator(name=name)
    def call() -> None:
        raise error from cause

    with pytest.raises(Odd) as caught:
        call()
    assert caught.value is error
    assert error.__cause__ is cause
    assert error.__context__ is None
    assert [frame.name for frame in traceback.extract_tb(error.__traceback__)][-1] == "call"
    assert _counts(name) == (1, 0, 1, 1)
    assert points(f"{name}.errors")[0].attributes["error.type"] == f"{__name__}.Odd"


def test_a_missing_argument_raises_the_function_s_own_error() -> None:
    """Same type, same message as undecorated; no call is counted."""
    name = fresh("missing")

    def call(tier: str, *, size: int) -> None: ...

    with pytest.raises(TypeError) as expected:
        call()  # type: ignore[call-arg]
    decorated: Any = otelkit.metered(name=name, labels=["tier"])(call)
    with pytest.raises(TypeError) as got:
        decorated()
    assert str(got.value) == str(expected.value)
    assert total(f"{name}.calls") == 0


def test_builtin_errors_are_named_bare_and_others_in_full() -> None:
    """error.type is the qualified class, and at most 50 of them."""
    name = fresh("types")

    @otelkit.metered(name=name)
    def call(error: Exception) -> None:
        raise error

    for error in [ValueError(), *[type(f"E{index}", (Exception,), {})() for index in range(60)]]:
        with pytest.raises(type(error)):
            call(error)
    types = {each.attributes["error.type"] for each in points(f"{name}.errors")}
    assert "ValueError" in types
    assert f"{__name__}.E3" in types
    assert "_OTHER" in types
    assert len(types) == 51
    assert _counts(name) == (61, 0, 61, 61)


def test_ignored_exceptions_are_successes_and_still_raise() -> None:
    """``ignore`` takes one class or several."""
    for ignore in (KeyError, (KeyError, Odd), [KeyError]):
        name = fresh("ignore")

        @otelkit.metered(name=name, ignore=ignore)  # type: ignore[arg-type]
        def call() -> None:
            raise KeyError

        with pytest.raises(KeyError):
            call()
        assert _counts(name) == (1, 0, 0, 1)
        assert "error.type" not in point(f"{name}.duration").attributes


@pytest.mark.parametrize(
    ("predicate", "error_type"),
    [
        (lambda result: result > 3, "_OTHER"),
        (lambda result: "teapot" if result == 5 else "", "teapot"),
        (lambda result: False, None),
        (lambda result: result.status, None),
    ],
)
@pytest.mark.parametrize("decorator", [otelkit.metered, otelkit.observed])
def test_record_error_if_judges_results(decorator: Any, predicate: Any, error_type: str | None) -> None:
    """True makes an error, text names it, a predicate that raises is counted and means success."""
    name = fresh("judge")

    @decorator(name=name, record_error_if=predicate)
    def call() -> int:
        return 5

    assert call() == 5
    assert _counts(name) == (1, 0, 1 if error_type else 0, 1)
    assert [each.attributes["error.type"] for each in points(f"{name}.errors")] == [error_type] * bool(error_type)


@pytest.mark.parametrize("decorator", [otelkit.metered, otelkit.observed])
def test_record_error_if_judges_a_generator_s_return_and_not_its_closing(decorator: Any) -> None:
    """A generator that its consumer closes has no result to judge."""
    name = fresh("judge")
    asked: list[object] = []

    @decorator(name=name, record_error_if=lambda result: asked.append(result) or True)
    def items() -> Iterator[int]:
        yield 1
        return "done"

    generator = items()
    next(generator)
    generator.close()
    assert list(items()) == [1]
    assert asked == ["done"]
    assert _counts(name) == (2, 0, 1, 2)


# -- coroutines -----------------------------------------------------------------


def test_cancelled_tasks_balance() -> None:
    """504 of 2,000 tasks are cancelled: durations with the cancellation's name, and no errors."""
    name = fresh("cancel")

    @otelkit.metered(name=name)
    async def call() -> None:
        await asyncio.sleep(0.02)

    async def main() -> None:
        tasks = [asyncio.create_task(call()) for _ in range(2_000)]
        await asyncio.sleep(0)
        assert total(f"{name}.active_calls") == 2_000
        for task in tasks[:504]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())
    assert _counts(name) == (2_000, 0, 0, 2_000)
    assert total(f"{name}.duration", {"error.type": "asyncio.exceptions.CancelledError"}) == 504


def test_active_calls_are_those_under_way() -> None:
    """Started less ended, also in the middle, nested."""
    name = fresh("active")
    seen: list[float] = []

    @otelkit.metered(name=name)
    def call(depth: int) -> None:
        if depth:
            call(depth - 1)
        else:
            seen.append(total(f"{name}.active_calls"))

    call(4)
    assert seen == [5]
    assert _counts(name) == (5, 0, 0, 5)


# -- labels ---------------------------------------------------------------------


class Colour(Enum):
    RED = "red"


class Word(str, Enum):  # noqa: UP042 - its str() is not its value, a StrEnum's is
    ONE = "one"


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError

    def __hash__(self) -> int:
        raise RuntimeError


def test_label_values_that_are_equal_but_not_the_same_have_series_of_their_own() -> None:
    """1, True, 1.0 share a hash; their series are told apart by text, "1" and 1 are one."""
    name = fresh("labels")

    @otelkit.metered(name=name, labels=["value"])
    def call(value: object) -> None: ...

    for value in [1, True, 1.0, "1", None, "", Colour.RED, Word.ONE, "one", [1], {}, Unprintable(), b"x"]:
        for _ in range(2):
            call(value)
    assert series(f"{name}.calls") == {
        (("value", text),): calls
        for text, calls in {
            "1": 4,
            "true": 2,
            "1.0": 2,
            "": 4,
            "Colour.RED": 2,
            "one": 4,
            "[1]": 2,
            "{}": 2,
            "<Unprintable>": 2,
            "b'x'": 2,
        }.items()
    }


def test_labels_come_from_arguments_callables_constants_and_add_label() -> None:
    """In the order of their declaration, whatever their source; a callable that raises gives an empty value."""
    name = fresh("labels")

    @otelkit.metered(
        name=name,
        labels={
            "late": None,
            "tier": None,
            "size": lambda tier, items: len(items),
            "zone": "eu",
            "broken": lambda *_: 1 / 0,
        },
    )
    def call(tier: str, items: list[int]) -> None:
        assert total(f"{name}.active_calls", {"tier": tier}) == 1
        otelkit.add_label("late", 7)

    call("gold", [1, 2])
    labels = {"late": "7", "tier": "gold", "size": "2", "zone": "eu", "broken": ""}
    assert series(f"{name}.calls") == {tuple(sorted(labels.items())): 1}
    assert series(f"{name}.duration") == {tuple(sorted(labels.items())): 1}
    assert total(f"{name}.active_calls") == 0


def test_a_label_is_found_through_another_decorator() -> None:
    """A decorator between the function and `metered` that takes ``*args`` hides no argument."""
    name = fresh("labels")

    def retry(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return wrapper

    @otelkit.metered(name=name, labels=["tier"])
    @retry
    def call(tier: str = "none") -> None: ...

    call("gold")
    call()
    call(tier="tin")
    assert {labels[0][1]: calls for labels, calls in series(f"{name}.calls").items()} == {
        "gold": 1,
        "none": 1,
        "tin": 1,
    }


def test_labels_may_come_from_an_iterator() -> None:
    """The declaration reads it once."""
    name = fresh("labels")

    @otelkit.metered(name=name, labels=iter(["a", "b"]))
    def call(a: int, b: int) -> None: ...

    call(1, 2)
    assert series(f"{name}.calls") == {(("a", "1"), ("b", "2")): 1}


def test_add_label_from_an_inner_function_an_inner_call_and_across_await() -> None:
    """The innermost call that declares the label gets it."""
    outer_name, inner_name = fresh("outer"), fresh("inner")

    @otelkit.metered(name=inner_name, labels=["mine"])
    async def inner() -> None:
        await asyncio.sleep(0)
        otelkit.add_label("mine", "inner")
        otelkit.add_label("theirs", "from inside")

    @otelkit.metered(name=outer_name, labels=["mine", "theirs"])
    async def outer() -> None:
        otelkit.add_label("mine", "outer")
        await inner()

    async def main() -> None:
        await asyncio.gather(*[outer() for _ in range(10)])

    asyncio.run(main())
    assert series(f"{inner_name}.calls") == {(("mine", "inner"),): 10}
    assert series(f"{outer_name}.calls") == {(("mine", "outer"), ("theirs", "from inside")): 10}


def test_add_label_outside_of_any_call_is_dropped_and_counted() -> None:
    """It raises nothing."""
    before = total("otelkit.dropped", {"otelkit.metric": "add_label"})
    otelkit.add_label("nobody", 1)
    assert total("otelkit.dropped", {"otelkit.metric": "add_label"}) == before + 1


# -- spans ----------------------------------------------------------------------


def test_observed_links_span_and_metrics_both_ways() -> None:
    """The duration's exemplar names the span, the span names the metric and has the late labels."""
    name = fresh("observed")

    @otelkit.observed(name=name, labels=["tier"])
    def call() -> None:
        otelkit.add_label("tier", "gold")

    with testing.capture() as telemetry:
        call()
        (found,) = telemetry.points(f"{name}.duration")
    (span,) = telemetry.spans
    assert span.name == name
    assert span.attributes is not None
    assert span.attributes["otelkit.metric"] == f"{name}.duration"
    assert span.attributes["tier"] == "gold"
    assert span.context is not None
    assert [each.span_id for each in found.exemplars] == [span.context.span_id]  # type: ignore[union-attr]


def test_traced_records_the_exception_and_no_metrics() -> None:
    """The span ends as an error; cancellations and ignored errors do not."""

    @otelkit.traced(ignore=KeyError)
    def call(error: BaseException) -> None:
        raise error

    with testing.capture() as telemetry:
        for error in (Odd("x"), KeyError(), asyncio.CancelledError()):
            with pytest.raises(type(error)):
                call(error)
    statuses = [span.status.is_ok or span.status.is_unset for span in telemetry.spans]
    assert statuses == [False, True, True]
    assert [event.name for event in telemetry.spans[0].events] == ["exception"]
    assert not points("function.calls", {"code.function.name": f"{__name__}.{call.__qualname__}"})


# -- declarations that are refused -------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"name": "1 bad"}, "Expected a metric name that starts with a letter"),
        ({"name": 5}, "Expected name as text, got 5"),
        ({"prefix": 5}, "Expected prefix as text, got 5"),
        ({"labels": "tier"}, "Write labels=['tier']"),
        ({"labels": 5}, "Expected a list of label names, got 5"),
        ({"labels": ["a", "a"]}, "Expected each label once"),
        ({"labels": ["le"]}, "'le' is reserved"),
        ({"labels": ["error.type"]}, "reserved"),
        ({"labels": [1]}, "Expected label names that are non-empty text"),
        ({"labels": ["__a"]}, "without a leading '__'"),
        ({"labels": ["code.function.name"]}, "is set by the decorator"),
        ({"buckets": [2, 1]}, "ascending order"),
        ({"buckets": [1, 1]}, "none twice"),
        ({"buckets": [1, math.inf]}, "finite"),
        ({"buckets": [math.nan]}, "finite"),
        ({"buckets": []}, "at least one"),
        ({"buckets": ["x"]}, "buckets that are numbers"),
        ({"buckets": 5}, "buckets that are numbers"),
        ({"record_error_if": 5}, "Expected record_error_if to be a function"),
        ({"ignore": 5}, "Expected ignore to hold exception classes, got 5"),
        ({"ignore": ["x"]}, "exception classes"),
    ],
)
def test_bad_declarations_say_what_was_expected_and_where(options: dict[str, Any], expected: str) -> None:
    """At decoration, with the value that came and the function it came from."""

    def call(tier: str = "") -> None: ...

    with pytest.raises(DeclarationError) as caught:
        otelkit.metered(**options)(call)
    assert expected in str(caught.value)
    assert "test_metered" in str(caught.value)


@pytest.mark.parametrize("target", [5, "name", property(lambda self: 1), int])
def test_what_is_no_function_is_refused(target: Any) -> None:
    """The mistake of ``@metered("name")`` among them."""
    with pytest.raises(DeclarationError, match="Expected a function"):
        otelkit.metered(target)


def test_the_same_name_with_other_buckets_or_labels_is_refused() -> None:
    """Two declarations of one series would contradict each other; alike, they are one."""
    name = fresh("twice")
    otelkit.metered(name=name, labels=["a"], buckets=[1, 2])(lambda a: None)
    second = otelkit.metered(name=name, labels=["a"], buckets=[1, 2])(lambda a: None)
    second("x")
    assert series(f"{name}.calls") == {(("a", "x"),): 1}
    with pytest.raises(DeclarationError, match="buckets"):
        otelkit.metered(name=name, labels=["a"], buckets=[3])(lambda a: None)
    with pytest.raises(DeclarationError, match="labels"):
        otelkit.metered(name=name, labels=["b"])(lambda b: None)


def test_prefix_loses_its_trailing_separator() -> None:
    """``dht_`` and ``dht.`` and ``dht`` are one prefix."""
    name = fresh("find").removeprefix("test.")
    for prefix in ("dht_", "dht.", "dht"):
        otelkit.metered(name=name, prefix=prefix)(lambda: None)()
    assert total(f"dht.{name}.calls") == 3
