# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The embedded viewer: receives OTLP, stores it, and shows it in the browser.

```
OTLP/HTTP, gRPC ──▶ ingest ──▶ store (SQLite) ──▶ api (/api/v1) ──▶ static (the pages)
                    decode,     one writer,        analysis:
                    limits      many readers       usual, findings
```

Needs the extra ``otelkit[dashboard]``; ``import otelkit`` loads nothing of it.
"""
