# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Pages of the docs that are made from the code: ``python -m otelkit._pages self-metrics > docs/self-metrics.md``.

docs/configuration.md is `otelkit.config`'s.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from otelkit import semconv
from otelkit.dashboards import page as dashboards
from otelkit.masking import rules
from otelkit.rules import page as alerts

_SELF_METRICS = """\
<!-- Made by `python -m otelkit._pages self-metrics > docs/self-metrics.md`; a test holds it up to date. -->

# What otelkit says about itself

These metrics leave the process beside yours, by every exporter. Nothing is dropped, refused or late without one of
them showing it; a series appears when there is something to tell.

`otelkit doctor` reads them from the program on the configured Prometheus port, `--url http://host:9464/metrics` from
another, and names the label behind an overflow with an example. `otelkit doctor --overhead` measures what a call, a
span, a scrape and an export cost on this machine.

| metric | kind | unit | attributes | what it says |
|---|---|---|---|---|
"""

_ATTRIBUTES = """
| attribute | what it says |
|---|---|
"""

_SECRETS = """\
<!-- Made by `python -m otelkit._pages secrets > docs/secrets.md`; a test holds it up to date. -->

# Secrets

What looks like a credential is masked before it leaves the process: in metric labels, when a label set is first seen;
in span names, attributes, events (messages and stack traces of exceptions too), links and statuses, and in the
resource, when spans are exported, whichever library made them; and in otelkit's own log lines. Arguments, results and
prompts are never recorded unless a declaration names them as labels.

What the application's own span processors and exporters see, and the attributes that other libraries put on metrics,
are not otelkit's, and stay as they are.

## By key

The value under a key is replaced by `[masked: <why>]` when the key's last word, or its last two, are one of these, in
whatever style it is written (`db.password`, `DB_PASSWORD`, `dbPassword`, `X-Api-Key`): password, passwd, passphrase,
pwd, secret, token, credential, authorization, cookie, bearer, csrf, xsrf, jwt, otp, cvv, cvc, ssn; api key, access key,
private key, secret key, signing key, encryption key, session key, account key, shared key, authorization code, card
number, credit card, social security. `gen_ai.usage.input_tokens`, `k8s.secret.name` and `session.id` are none of them.
True, false and empty values stay.

## By what it looks like

Inside any text:

| mask | what is found |
|---|---|
"""

_SWITCHES = """
A random-looking text alone is no secret: trace ids, hashes and UUIDs look the same.

## More, fewer, none

```toml
secret_keys = ["customer.*", "iban"]          # further keys, names or patterns
secret_keys_allowed = ["next_page_token"]     # never masked; these win
secret_patterns = ['\\bEMP-\\d{4}\\b']            # further regular expressions
mask_secrets = false                          # nothing is masked
```

To see that a label is one value without seeing which, hash it: `hash_labels` in docs/configuration.md.
"""


def self_metrics() -> str:
    """Return docs/self-metrics.md."""
    rows = [
        f"| `{metric.name}` | {metric.kind.value.replace('_', ' ')} | `{metric.unit}` "
        f"| {', '.join(f'`{name}`' for name in attributes)} | {metric.description} |\n"
        for metric, attributes in semconv.SELF_METRICS
    ]
    told = [f"| `{name}` | {about} |\n" for name, about in semconv.SELF_ATTRIBUTES.items()]
    return _SELF_METRICS + "".join(rows) + _ATTRIBUTES + "".join(told)


def secrets() -> str:
    """Return docs/secrets.md."""
    return _SECRETS + "".join(f"| {rule.name} | {rule.about} |\n" for rule in rules()) + _SWITCHES


PAGES: dict[str, Callable[[], str]] = {
    "self-metrics": self_metrics,
    "secrets": secrets,
    "dashboards-grafana": dashboards.page,
    "alerts": alerts.page,
}

if __name__ == "__main__":
    sys.stdout.write(PAGES[sys.argv[1]]())
