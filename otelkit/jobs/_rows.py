# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Rows of a CSV file, and what is wrong with some of them."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from otelkit.exceptions import DeclarationError


class RowError(NamedTuple):
    """
    A row that cannot become a job.

    Attributes:
        file: Its file.
        line: Where it begins; the first line is 1.
        column: The column's name, or nothing if it is about the whole row.
        expected, got: What was expected there, and what came.
    """

    file: str
    line: int
    column: str
    expected: str
    got: str

    def __str__(self) -> str:
        at = f"{self.file}:{self.line}" + (f", column {self.column!r}" if self.column else "")
        return f"Expected {self.expected}, got {self.got} - at {at}."


def read_rows(
    path: str | os.PathLike[str], required: Sequence[str], errors: list[RowError]
) -> Iterator[tuple[int, dict[str, str]]]:
    """
    Yield line and row of each good row of a CSV file with a header; what is bad goes to ``errors``.

    Raises:
        DeclarationError: The file cannot be read, or its header lacks a required column.
    """
    name = os.fspath(path)
    remedy = "Give a CSV file in UTF-8 whose first line names its columns."
    try:
        with open(path, encoding="utf-8-sig", newline="", errors="surrogateescape") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, None)
            if not header:
                raise DeclarationError("a CSV file with a header", "an empty one", name, remedy)
            missing = [column for column in required if column not in header]
            if missing or len(set(header)) < len(header):
                wanted = f"columns {list(required)}" if missing else "each column once"
                raise DeclarationError(wanted, header, f"{name}:1", remedy)
            yield from _good_rows(reader, header, required, name, errors)
    except OSError as error:
        raise DeclarationError("a CSV file", error.strerror, name, remedy) from error


def _good_rows(
    reader: Iterator[list[str]], header: list[str], required: Sequence[str], name: str, errors: list[RowError]
) -> Iterator[tuple[int, dict[str, str]]]:
    while True:
        line = reader.line_num + 1  # type: ignore[attr-defined]
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            errors.append(RowError(name, line, "", "a row of CSV", str(error)))
            continue
        if not values:
            continue
        row = dict(zip(header, values, strict=False))
        error = _error(row, values, header, required, name, line)
        if error is None:
            yield line, row
        else:
            errors.append(error)


def _error(
    row: dict[str, str], values: list[str], header: list[str], required: Sequence[str], name: str, line: int
) -> RowError | None:
    if len(values) != len(header):
        return RowError(name, line, "", f"{len(header)} values", str(len(values)))
    for column, value in row.items():
        if any("\udc80" <= character <= "\udcff" for character in value):
            return RowError(name, line, column, "text in UTF-8", ascii(value))
    for column in required:
        if not row[column].strip():
            return RowError(name, line, column, "a value", "none")
    return None
