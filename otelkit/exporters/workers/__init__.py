# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Several workers, one scrape: the processes of one server share a port and a folder.

Whoever holds the port answers for all. Each process keeps what it has recorded
in a file of its own; the dead are folded into one record, so that totals never
go back.

    `identity`  which processes belong to one server
    `folder`    who lives, what they wrote, and the record of the dead
    `member`    this process in it
    `merge`     many snapshots into one
    `wire`      a snapshot as a file
"""
