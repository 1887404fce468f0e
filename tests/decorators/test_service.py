# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""`service`, `action`, `event_handler`, `publisher` and `job`."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from support.metrics import fresh, point, points, series, total

import otelkit
from otelkit import testing
from otelkit.exceptions import DeclarationError


def _requests(service: str) -> dict[str, float]:
    return {
        each.attributes["action"]: each.value for each in points("service.requests", {"service": service}) if each.value
    }


def test_every_public_method_is_an_action() -> None:
    """Also static, class, async and generator methods; nothing else is touched."""

    class Inner:
        def ping(self) -> None: ...

    @otelkit.service
    class Everything:
        constant = 5
        length = len
        Nested = Inner
        signups = otelkit.counter(fresh("signups"))

        def method(self) -> str:
            return self._private()

        def _private(self) -> str:
            return "private"

        @staticmethod
        def static(value: int) -> int:
            return value

        @classmethod
        def of(cls) -> type:
            return cls

        async def later(self) -> int:
            return 1

        def items(self) -> Iterator[int]:
            yield 1

        @property
        def size(self) -> int:
            return 3

        def __len__(self) -> int:
            return 4

        @otelkit.action(name="hidden")
        def _marked(self) -> None: ...

        @otelkit.action
        @staticmethod
        def other() -> int:
            return 9

    everything = Everything()
    assert everything.method() == "private"
    assert everything.static(3) == Everything.static(3) == 3
    assert Everything.of() is Everything
    assert list(everything.items()) == [1]
    assert (everything.size, len(everything), everything.length("ab"), everything.constant) == (3, 4, 2, 5)
    everything.Nested().ping()
    everything._marked()
    assert everything.other() == 9
    assert inspect.iscoroutinefunction(everything.later)
    assert _requests("Everything") == {"method": 1, "static": 2, "of": 1, "items": 1, "hidden": 1, "other": 1}


def test_actions_override_names_labels_buckets_metrics_and_traces() -> None:
    """Per method, what `action` says holds."""

    @otelkit.service(name="orders", prefix="api_gateway_")
    class Orders:
        @otelkit.action(labels=["user_tier"], buckets=[1, 2])
        def get(self, order: int) -> None:
            otelkit.add_label("user_tier", "free")

        @otelkit.action(metrics=False)
        def traced_only(self) -> None: ...

        @otelkit.action(traces=False)
        def metered_only(self) -> None: ...

        @otelkit.action(metrics=False, traces=False)
        def plain(self) -> None: ...

        @otelkit.action(ignore=KeyError)
        def lenient(self) -> None:
            raise KeyError

    with testing.capture() as telemetry:
        orders = Orders()
        orders.get(1)
        orders.traced_only()
        orders.metered_only()
        orders.plain()
        with pytest.raises(KeyError):
            orders.lenient()
    name = "api_gateway.service"
    get = point(f"{name}.response_time", {"action": "get"})
    assert get.attributes == {"service": "orders", "action": "get", "user_tier": "free"}
    assert get.bounds == (1.0, 2.0)
    assert {each.attributes["action"] for each in points(f"{name}.requests")} == {"get", "metered_only", "lenient"}
    assert {span.name for span in telemetry.spans} == {"orders.get", "orders.traced_only", "orders.lenient"}
    assert total(f"{name}.errors") == 0


def test_inherited_services_record_once_under_the_class_that_was_decorated() -> None:
    """A decorated subclass records its inherited actions as its own; an undecorated one keeps the base's."""

    @otelkit.service
    class Base:
        def inherited(self) -> str:
            return "base"

        def overridden(self) -> str:
            return "base"

        @otelkit.action(name="renamed")
        def marked(self) -> None: ...

    @otelkit.service
    class Decorated(Base):
        def overridden(self) -> str:
            return super().overridden() + "+"

        def own(self) -> None: ...

    class Plain(Base):
        def overridden(self) -> str:
            return super().overridden() + "-"

        def extra(self) -> None: ...

    decorated, plain = Decorated(), Plain()
    assert decorated.inherited() == "base"
    decorated.marked()
    decorated.own()
    assert _requests("Decorated") == {"inherited": 1, "renamed": 1, "own": 1}
    assert _requests("Base") == {}
    assert decorated.overridden() == "base+"  # the call by super() is a request of the base
    assert _requests("Decorated") == {"inherited": 1, "renamed": 1, "own": 1, "overridden": 1}
    assert _requests("Base") == {"overridden": 1}
    assert plain.inherited() == "base"
    assert plain.overridden() == "base-"
    plain.extra()
    assert _requests("Base") == {"overridden": 2, "inherited": 1}
    assert _requests("Plain") == {}


def test_jobs_and_handlers_of_a_service_are_not_actions() -> None:
    """What another decorator of otelkit records is left to it."""
    job, event = fresh("job"), fresh("event")

    @otelkit.service(name="mixed")
    class Mixed:
        @otelkit.job(name=job)
        def cleanup(self) -> None: ...

        @otelkit.event_handler(event)
        def on_event(self, event: dict[str, Any]) -> None: ...

    mixed = Mixed()
    mixed.cleanup()
    mixed.on_event({})
    assert _requests("mixed") == {}
    assert total("event.received", {"event": event}) == 1


# -- events -----------------------------------------------------------------------


def _latency(event: str) -> Any:
    return point("event.latency", {"event": event})


@pytest.mark.parametrize(
    "made",
    [
        lambda then: {"timestamp": then.timestamp()},
        lambda then: {"emitted_at": then},
        lambda then: {"time": then.isoformat()},
        lambda then: SimpleNamespace(created_at=then.replace(tzinfo=None)),
        lambda then: SimpleNamespace(timestamp=then.isoformat().replace("+00:00", "Z")),
    ],
)
def test_latency_is_taken_from_the_event(made: Any) -> None:
    """By key or attribute; Unix seconds, datetime or ISO text, UTC where nothing is said."""
    event = fresh("event")

    class Handlers:
        @otelkit.event_handler(event)
        def handle(self, event: Any) -> None: ...

    Handlers().handle(made(datetime.now(UTC) - timedelta(seconds=100)))
    assert 99 < _latency(event).sum < 103
    assert total("event.received", {"event": event}) == 1
    assert total("event.processing_time", {"event": event}) == 1


def test_latency_by_emitted_at_from_the_future_and_unknown() -> None:
    """The callable decides; an event from the future is as old as now; None, and what raises, records none."""
    event = fresh("event")

    @otelkit.event_handler(event, emitted_at=lambda event: event["sent"])
    async def handle(event: Any) -> None: ...

    def deliver(sent: object) -> None:
        with pytest.raises(StopIteration):
            handle({"sent": sent}).send(None)

    failures = total("otelkit.failures", {"otelkit.where": "an event's timestamp"})
    for sent in (time.time() - 5, time.time() + 50, None, "not a time", math.nan):
        deliver(sent)
    assert total("otelkit.failures", {"otelkit.where": "an event's timestamp"}) == failures + 1
    latency = _latency(event)
    assert latency.count == 2
    assert 4.9 < latency.sum < 6
    assert total("event.received", {"event": event}) == 5


def test_metered_takes_an_event_too() -> None:
    """``metered(event=...)`` is a handler without a span, and fails as one."""
    event = fresh("event")

    @otelkit.metered(event=event)
    def handle(event: Any) -> None:
        raise ValueError

    with testing.capture() as telemetry, pytest.raises(ValueError):
        handle({"timestamp": time.time()})
    assert telemetry.spans == ()
    assert total("event.failures", {"event": event, "error.type": "ValueError"}) == 1
    assert total("event.active", {"event": event}) == 0


def test_a_publisher_records_per_event_name() -> None:
    """From the argument, its default, an object's name or type, a callable, or the method's own name."""
    prefix = fresh("publisher")

    class Payload: ...

    @otelkit.publisher(prefix=prefix)
    class Events:
        def publish(self, event: object = "by default", **payload: object) -> None:
            if payload:
                raise ConnectionError

        def order_created(self, order: int) -> None: ...

        def _send(self) -> None: ...

        @staticmethod
        def to(topic: str) -> str:
            return topic

    events = Events()
    events.publish("user.created")
    events.publish()
    events.publish({"name": "named"})
    events.publish(Payload())
    events.order_created(1)
    events._send()
    assert events.to("t") == "t"
    with pytest.raises(ConnectionError):
        events.publish("user.created", fail=True)
    published = {each.attributes["event"]: each.value for each in points(f"{prefix}.event.published")}
    assert published == {
        "user.created": 2,
        "by default": 1,
        "named": 1,
        "Payload": 1,
        "order_created": 1,
        "t": 1,
    }
    assert total(f"{prefix}.event.publish_failures") == 1
    assert total(f"{prefix}.event.publishing") == 0
    assert total(f"{prefix}.event.publish_time") == 7


def test_a_publisher_takes_a_parameter_or_a_callable() -> None:
    """A parameter that no method has is a mistake."""
    prefix = fresh("publisher")

    @otelkit.publisher(event=lambda self, subject: f"on.{subject}", prefix=prefix)
    class Called:
        def send(self, subject: str) -> None: ...

    Called().send("x")
    assert series(f"{prefix}.event.published") == {(("event", "on.x"),): 1}
    with pytest.raises(DeclarationError, match="a parameter 'nothing'"):

        @otelkit.publisher(event="nothing")
        class Wrong:
            def send(self, subject: str) -> None: ...


# -- jobs -------------------------------------------------------------------------


@pytest.mark.parametrize("traces", [True, False])
def test_a_job_notes_its_last_success(traces: bool) -> None:
    """A failed run leaves the time of the last good one."""
    prefix = fresh("jobs")

    @otelkit.job(name="cleanup", prefix=prefix, traces=traces)
    def cleanup(fails: bool) -> None:
        if fails:
            raise OSError

    assert points(f"{prefix}.job.last_success") == []
    with pytest.raises(OSError):
        cleanup(True)
    assert points(f"{prefix}.job.last_success") == []
    before = time.time()
    cleanup(False)
    assert before <= point(f"{prefix}.job.last_success").value <= time.time()
    assert list(point(f"{prefix}.job.last_success").attributes.values()) == ["cleanup"]
    assert total(f"{prefix}.job.runs") == 2
    assert total(f"{prefix}.job.failures") == 1
    assert total(f"{prefix}.job.duration") == 2
    assert total(f"{prefix}.job.active") == 0


@pytest.mark.parametrize(
    ("declare", "expected"),
    [
        (lambda: otelkit.service(5), "a class"),
        (lambda: otelkit.service(name=5)(type("S", (), {})), "name as text"),
        (lambda: otelkit.service(prefix=5)(type("S", (), {})), "prefix as text"),
        (lambda: otelkit.service(lambda: None), "For functions there is @otelkit.metered"),
        (lambda: otelkit.action(5), "a method"),
        (lambda: otelkit.event_handler(""), "an event's name"),
        (lambda: otelkit.event_handler(lambda: None), "an event's name"),
        (lambda: otelkit.event_handler("x", emitted_at=5), "emitted_at to be a function"),
        (lambda: otelkit.publisher(lambda: None), "a class"),
        (lambda: otelkit.publisher(prefix=5)(type("P", (), {})), "prefix as text"),
        (lambda: otelkit.job(name=5)(lambda: None), "name as text"),
        (lambda: otelkit.job(prefix="1")(lambda: None), "a metric name that starts with a letter"),
        (lambda: otelkit.traced(type("S", (), {})), "use @otelkit.service"),
    ],
)
def test_bad_declarations_are_refused(declare: Any, expected: str) -> None:
    """Each says what was expected."""
    with pytest.raises(DeclarationError) as caught:
        declare()
    assert expected in str(caught.value)
