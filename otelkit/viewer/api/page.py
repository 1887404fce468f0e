# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The page docs/dashboard-api.md, made of `endpoints`: ``python -m otelkit.viewer.api.page``."""

from __future__ import annotations

import sys
from typing import Any

from otelkit.viewer.analysis import usual
from otelkit.viewer.api import judge, openapi
from otelkit.viewer.api.endpoints import ENDPOINTS, PREFIX, Endpoint
from otelkit.viewer.api.parameters import Window

_TOP = """\
<!-- Made by `python -m otelkit.viewer.api.page > docs/dashboard-api.md`; a test holds it up to date. -->

# The dashboard's API

Everything that the pages show comes from here, and can be had by any program. The whole truth, with every field of
every answer, is the OpenAPI document at `/api/v1/openapi.json`.

```console
$ curl -H "Authorization: Bearer $TOKEN" 'http://127.0.0.1:4318/api/v1/services/checkout?action=charge&from=-1h'
$ curl -H "Authorization: Bearer $TOKEN" 'http://127.0.0.1:4318/api/v1/overview?format=csv&part=services'
```

Times are Unix seconds, durations seconds, shares 0 to 1, units UCUM. Everything with a time lies on the axis of its
answer (`range.axis`): equal steps that begin at round times, `null` for a gap. Times within sentences are ISO 8601, in
UTC; the pages write them in the reader's zone. A mistake is answered by 400 and JSON that says what was expected, what
came, and where; what is not there by 404.

"""

_TIME = """
## Time, filter, export

`from` and `to` are `now`, relative to it (`-15m`, `-2h`), Unix seconds, or ISO 8601 with a zone. `columns` is how many
steps are wanted at most; the step is the next round one. `q` is the filter: `service:checkout action:charge
error.type:* duration>1s user_tier=free -tier=internal "a text"`; terms that a page has no use for come back in
`range.ignored`, with the reason. `format=csv` gives all lines of a page, `part=services` or `part=chosen.heatmap` one
list or chart of the answer.

## A recording

`POST /api/v1/recordings` loads lines of OTLP-JSON, as the Collector's file exporter and otelkit's `otlp_file` write
them; a file that is dropped on the page is sent there. At most 256 MiB, 16 MiB a line, one at a time, not compressed.
Times stay what they are, retention holds.

```console
$ curl -H "Authorization: Bearer $TOKEN" --data-binary @traces.jsonl http://127.0.0.1:4318/api/v1/recordings
```

## The stream

`/api/v1/stream?page=services/checkout%3Ffrom%3D-15m` sends server-sent events while it is open: `frame` (what
`/frame` answers) and `step` (what the page answers), once something has arrived, at most every `every` seconds. In
both, arrays on an axis hold only the new steps, which the event's axis says, and the last one before, because it was
not over; all the rest is whole. `reload`: the steps changed their length, ask for the page anew.

## How numbers come about

- **Rates.** A counter's points are knots of a curve that is linear between them: a report is spread over the interval
  that it covers, and the sum over all steps is what was reported. A restart (a new start time, or less than before)
  begins a new curve at zero. A label set that is new in a process that is known rose from zero since its last report;
  the first report of a new process counts from its start if that is recent, else not at all. Points further apart than
  four of the sender's intervals (at least {gap:g} s) leave a gap, and the rise stands in the step of the later one. The
  first and the last step are divided by the part of them that was reported.
- **Quantiles** are linear within a bucket; `approximate` where the bucket is wider than a quarter of the value, `over`
  beyond the last bound. Exponential histograms are brought to bounds 2^(i/4). Where buckets of several senders differ,
  counts are spread over those of the busiest, and the answer says so.
- **Errors** are a share of the calls that ended.
- **A host or GPU** that several processes report is read from one of them, the one that reports longest.
- Of a metric with more than 2,000 label sets the latest 2,000 are drawn, and `note` says so.

## What is usual

*Usual* is the 5th to the 95th percentile of the same number in equal windows of the time before: at least {least}
windows with {observations} observations in each. It is judged for p95, p50 and error share of every service and
action, and for the items a second of every model. With less nothing is said: no band, no finding, "too young to judge".

A window is a minute, of up to six hours. Those need half an hour before they can say anything, so a young history is
judged in windows of 15 s (while it is younger than two hours) and of 5 s (one hour), too: after {youngest:.0f} s at
the earliest, if there are {observations} calls in each 5 s. The longest windows that can tell are believed. A sender
that reports less often than the window is long is not judged by it. `usual` says how many windows of what length, and
how many observations, it was computed from.

A number has *left* its usual range when the last {judged} windows are outside of what was usual before, and at least
four in five since the first of them. The range is always that of the time before: a fault that lasts does not become
usual, as long as its beginning is retained. What a sentence gives is the median of the windows judged.

| finding | holds when |
|---|---|
| slow | p95, or if that is as usual or tells no action p50, is {slow:g} times the upper edge or more |
| failing | the error share is {failing:g} times the upper edge or more, and at least {errors} calls failed |
| throughput | items a second are below {fewer:g} times the lower edge |
| stragglers | runs of at least 20 took longer than 3 medians and 10 s; only buckets wholly beyond that are counted |
| stuck | pending grows in each third of the range, by half or more, and no more are active |
| full | memory is more than half full, and full within 30 min at the slope of the range |
| gone | silent for 3 intervals with calls unfinished: a program that only ended is no finding |
| crash loop | 3 starts one after the other in 10 min |
| telemetry lost | dropped, overflowed or refused |

"The times the usual" is against the median. "N % of the extra time is in one span" compares the critical paths of up to
40 kept traces of the action since then with up to 40 of the hour before: means, at least 5 on either side, said only
from half of the extra time on, and with the number of traces below 20. Not said, because no metric tells: GPUs that
throttle, and how late a batch is against its usual end.

"The usual trace" is the median over up to 200 kept traces of the same root that succeeded, at least 20: those of the
time before, if something is outside of its usual range.

## Endpoints
"""


def render() -> str:
    """Return the page."""
    youngest = usual.SCALES[-1][0] * (usual.LEAST_WINDOWS + usual.JUDGED)
    numbers: dict[str, Any] = {
        "gap": 150,
        "least": usual.LEAST_WINDOWS,
        "observations": usual.LEAST_OBSERVATIONS,
        "youngest": youngest,
        "judged": usual.JUDGED,
        "slow": judge.SLOW,
        "failing": judge.FAILING,
        "errors": judge.LEAST_ERRORS,
        "fewer": judge.FEWER,
    }
    return _TOP + _TIME.lstrip("\n").format(**numbers) + "".join(_endpoint(each) for each in ENDPOINTS)


def _endpoint(endpoint: Endpoint) -> str:
    lines = [f"\n### `GET {PREFIX}{endpoint.path}`\n\n{endpoint.summary} Answers `{endpoint.response.__name__}`."]
    own = [each for each in openapi.query_parameters(endpoint.parameters) if each["name"] not in _shared(endpoint)]
    if own:
        lines.append("\n\n| parameter | values | what it does |\n|---|---|---|")
        lines += [f"\n| `{each['name']}` | {_values(each)} | {each.get('description', '')} |" for each in own]
    return "".join(lines) + "\n"


def _shared(endpoint: Endpoint) -> set[str]:
    """Return the parameters that all pages have: they are told once, above."""
    shared = openapi.query_parameters(Window) if issubclass(endpoint.parameters, Window) else []
    return {each["name"] for each in shared}


def _values(parameter: dict[str, Any]) -> str:
    schema = parameter["schema"]
    if "enum" in schema:
        return ", ".join(f"`{each}`" if each else "empty" for each in schema["enum"])
    default = schema.get("default")
    text = {"string": "text", "number": "number", "integer": "whole number", "boolean": "true, false"}[schema["type"]]
    bounds = [str(schema[key]) for key in ("minimum", "maximum") if key in schema]
    text += f", {' to '.join(bounds)}" if len(bounds) == 2 else ""
    return f"{text}; default {default}" if default not in (None, "") else text


if __name__ == "__main__":
    sys.stdout.write(render())
