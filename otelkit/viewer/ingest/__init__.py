# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
From the wire into the store.

```
http, grpc ──▶ inlet ──▶ one writer thread ──▶ store
limits on      queue,    decode (`metrics`,
what is sent   answers   `spans`), commit
```

A request is answered when what it brought is on disk: what was acknowledged survives the process.
"""
