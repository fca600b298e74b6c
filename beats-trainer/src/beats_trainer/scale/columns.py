"""Values, some of which may be None, as columns of Arrow.

`pyarrow.array` would do, but it imports pandas wherever there is one, which takes 40 MB for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def texts(values: Sequence[str | None]) -> pa.Array:
    """A column of strings."""
    encoded = [(value or "").encode() for value in values]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    buffers = [_present(values), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(values), buffers)


def numbers(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """A column of numbers, or of moments without a zone."""
    dtype = np.dtype("datetime64[us]" if pa.types.is_timestamp(kind) else kind.to_pandas_dtype())
    nothing = np.zeros(1, dtype)[0]
    filled = np.array([nothing if value is None else value for value in values], dtype)
    return pa.Array.from_buffers(kind, len(values), [_present(values), pa.py_buffer(filled)])


def vectors(rows: npt.NDArray[Any], kind: pa.DataType) -> pa.Array:
    """A column of vectors of one width, `(rows, width)`, without a copy."""
    flat = pa.Array.from_buffers(kind.value_type, rows.size, [None, pa.py_buffer(rows)])
    return pa.FixedSizeListArray.from_arrays(flat, kind.list_size)


def _present(values: Sequence[Any]) -> pa.Buffer:
    """A bit a value, from the lowest up."""
    bits = np.packbits([value is not None for value in values], bitorder="little") if values else b""
    return pa.py_buffer(bits)
