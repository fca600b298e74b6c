"""The numbers of a Parquet column read as they lie: a scan of millions has no time to take lists apart.

A column of lists that is neither compressed nor encoded holds, page after page, a short header, the levels
that tell one list from the next, and the numbers themselves. Lists that are all of one length need no levels,
so the numbers are read where they begin. Every column that is not of this form is left to pyarrow, whose
reader knows them all: nothing here guesses.

Source: the Parquet format (`parquet.thrift`, data page version 1) and Thrift's compact protocol.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

Vectors = npt.NDArray[np.float32]

HEADER = (
    4_096  # bytes; pyarrow's page headers take some forty, and those of others that take more are left to it
)
SLICE = 1 << 18  # numbers that are read at once: 1 MB of float32 stays in a processor's cache
DEEPEST = 8  # structures inside one another in a page header; the format has three
# Of a half that was moved up by 13 bits: the sign (it fills the bits between, too), exponent and fraction.
SIGN_AND_HALF = np.int32(0x8FFF_E000 - (1 << 32))
TOO_SMALL_BY, FULL_EXPONENT = np.float32(2.0 ** (127 - 15)), np.float32(2.0**16)


class _NotPlainError(Exception):
    """This column is of another form: pyarrow reads it."""


@dataclass(frozen=True)
class Run:
    """Numbers that lie one after another in a file."""

    offset: int
    size: int


@dataclass(frozen=True)
class PlainColumn:
    """Where the numbers of one row group's lists lie.

    Args:
        runs: In the order of the rows; a row may end in the next one.
        width: Numbers in a list.
        dtype: float32 or float16, little-endian.
    """

    runs: tuple[Run, ...]
    width: int
    dtype: np.dtype[Any]

    def read(self, file: BinaryIO) -> Iterator[Vectors]:
        """`(rows, width)` float32, a megabyte at most; each is gone when the next is asked for.

        Raises:
            OSError: The file has become shorter since its pages were looked at.
        """
        row = self.width * self.dtype.itemsize
        buffer = bytearray(row + max(SLICE * self.dtype.itemsize, row))
        floats = np.empty(len(buffer) // self.dtype.itemsize, np.float32)
        kept = 0
        for run in self._slices(len(buffer) - row):
            _read_exactly(file, run, memoryview(buffer)[kept : kept + run.size])
            filled = kept + run.size
            whole = filled // row
            if whole:
                numbers = np.frombuffer(buffer, self.dtype, whole * self.width)
                yield _as_float32(numbers, floats).reshape(whole, -1)
            kept = filled - whole * row
            buffer[:kept] = buffer[whole * row : filled]

    def _slices(self, most: int) -> Iterator[Run]:
        for run in self.runs:
            for start in range(0, run.size, most):
                yield Run(run.offset + start, min(most, run.size - start))


def find_plain_column(file: pq.ParquetFile, opened: BinaryIO, group: int, column: str) -> PlainColumn | None:
    """Where the numbers of a column of lists lie, or None if only pyarrow can tell.

    Args:
        file: The table.
        opened: The same file.
        group: Which of its row groups.
        column: A column of lists of one length, of float32 or float16.
    """
    kind = file.schema_arrow.field(column).type
    dtype = _dtype(kind)
    chunk = _chunk(file, group, column)
    if dtype is None or chunk is None or sys.byteorder != "little":
        return None
    try:
        runs = tuple(_runs(opened, chunk, dtype.itemsize))
    except (_NotPlainError, IndexError):  # a header that ends too soon
        return None
    rows = file.metadata.row_group(group).num_rows
    if sum(run.size for run in runs) != rows * kind.list_size * dtype.itemsize:
        return None
    return PlainColumn(runs, kind.list_size, dtype)


def _dtype(kind: pa.DataType) -> np.dtype[Any] | None:
    if not pa.types.is_fixed_size_list(kind) or not kind.list_size:
        return None
    known: dict[pa.DataType, np.dtype[Any]] = {pa.float32(): np.dtype("<f4"), pa.float16(): np.dtype("<f2")}
    return known.get(kind.value_type)


def _chunk(file: pq.ParquetFile, group: int, column: str) -> pq.ColumnChunkMetaData | None:
    """The column's numbers in a row group, if they are neither compressed nor encoded."""
    metadata = file.metadata.row_group(group)
    chunks = [metadata.column(i) for i in range(metadata.num_columns)]
    mine = [chunk for chunk in chunks if chunk.path_in_schema.startswith(f"{column}.")]
    if len(mine) != 1 or mine[0].compression != "UNCOMPRESSED" or mine[0].has_dictionary_page:
        return None
    return mine[0] if set(mine[0].encodings) <= {"PLAIN", "RLE"} else None


def _runs(opened: BinaryIO, chunk: pq.ColumnChunkMetaData, itemsize: int) -> Iterator[Run]:
    """One for each page."""
    position = chunk.data_page_offset
    end = position + chunk.total_compressed_size
    while position < end:
        opened.seek(position)
        header, length = _read_struct(opened.read(HEADER), 0)
        page, count = _page(header)
        begin = position + length
        position = begin + page
        values = begin + _levels(opened, begin, page)
        # A list that is missing, or a number in it, has a level and no bytes.
        if position > end or position - values != count * itemsize:
            raise _NotPlainError
        yield Run(values, position - values)


def _page(header: dict[int, object]) -> tuple[int, int]:
    """Bytes and numbers of a page: fields 1 to 3 and 5 of PageHeader, 1 and 2 of its DataPageHeader."""
    match header:
        case {1: 0, 2: int(unpacked), 3: int(packed), 5: {1: int(count), 2: 0}} if unpacked == packed > 0:
            return packed, count
    raise _NotPlainError


def _levels(opened: BinaryIO, begin: int, page: int) -> int:
    """Bytes of the two runs of levels before the numbers, each with its length in front."""
    taken = 0
    for _ in ("repetition", "definition"):
        opened.seek(begin + taken)
        taken += 4 + int.from_bytes(opened.read(4), "little")
        if taken > page:
            raise _NotPlainError
    return taken


def _read_struct(data: bytes, at: int, depth: int = 0) -> tuple[dict[int, object], int]:
    """A structure of Thrift's compact protocol by the numbers of its fields, and where it ends."""
    fields: dict[int, object] = {}
    number = 0
    if depth > DEEPEST:
        raise _NotPlainError
    while kind := data[at]:
        at += 1
        if kind >> 4:
            number += kind >> 4
        else:
            number, at = _read_integer(data, at)
        fields[number], at = _read_field(data, at, kind & 15, depth)
    return fields, at + 1


def _read_field(data: bytes, at: int, kind: int, depth: int) -> tuple[object, int]:
    match kind:
        case 1 | 2:  # the truth is in the kind
            return kind == 1, at
        case 3:  # a byte
            return data[at], at + 1
        case 4 | 5 | 6:  # whole numbers of 16, 32 and 64 bits
            return _read_integer(data, at)
        case 7:  # a double
            return None, at + 8
        case 8:  # bytes
            length, at = _read_varint(data, at)
            return None, at + length
        case 12:
            return _read_struct(data, at, depth + 1)
    raise _NotPlainError


def _read_integer(data: bytes, at: int) -> tuple[int, int]:
    """Zigzag: the sign in the lowest bit."""
    value, at = _read_varint(data, at)
    return (value >> 1) ^ -(value & 1), at


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise _NotPlainError


def _read_exactly(opened: BinaryIO, run: Run, into: memoryview) -> None:
    opened.seek(run.offset)
    read = opened.readinto(into)  # type: ignore[attr-defined]
    if read != run.size:
        name = getattr(opened, "name", "the table")
        message = (
            f"{name} ends inside its rows: {run.size:,} bytes were expected at {run.offset:,}, got {read:,}. "
            "It was changed while it was read: try again when it is whole."
        )
        raise OSError(message)


def _as_float32(values: npt.NDArray[Any], room: Vectors) -> Vectors:
    return widen(values, room[: len(values)]) if values.dtype == np.float16 else values


def widen(halves: npt.NDArray[np.float16], values: Vectors) -> Vectors:
    """float16 as float32, bit for bit what `astype` gives, several times as fast as numpy 2.

    A half has 5 bits of exponent and 10 of fraction, a float 8 and 23: moved up by 13 bits a half reads as a
    float that is too small by 2^(127 - 15). Only infinity and NaN, whose exponent is full, need the slow way.

    Args:
        halves: `(n,)`.
        values: `(n,)`: where the floats go. Memory that is there already costs no page faults.
    """
    bits = values.view(np.int32)
    np.copyto(bits, halves.view(np.int16))
    np.left_shift(bits, 13, out=bits)
    np.bitwise_and(bits, SIGN_AND_HALF, out=bits)
    np.multiply(values, TOO_SMALL_BY, out=values)
    if len(values) and max(values.max(), -values.min()) >= FULL_EXPONENT:
        np.copyto(values, halves)
    return values
