"""Gives memory back: weights that have been laid out anew, code that ran once, heap that is free.

For Linux; elsewhere nothing happens. No value changes: a page that is needed again is read again.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np
from torch import Tensor

_DROP, _PAGE_OUT = 4, 21  # MADV_DONTNEED; MADV_PAGEOUT, Linux 5.4
# Bits of an entry of /proc/self/pagemap: see the kernel's admin-guide/mm/pagemap.
_PRESENT, _SWAPPED, _OF_FILE = np.uint64(1 << 63), np.uint64(1 << 62), np.uint64(1 << 61)
_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1  # of glibc's mallopt
_SEPARATE = 1 << 20  # bytes: what is larger goes back to the system once it is free
_SEPARATE_RUNNING = 32 << 20  # the largest block that glibc takes from the heap when it may choose itself
Span = tuple[int, int]


def release_weights(tensors: Iterable[Tensor]) -> None:
    """Let the system take back tensors that are mapped from a file, until they are used again."""
    mapped = _mapped("")
    starts = [start for start, _ in mapped]
    for tensor in tensors:
        if tensor.device.type != "cpu" or not mapped:
            continue
        first, stop = tensor.data_ptr(), tensor.data_ptr() + tensor.nbytes
        at = bisect_right(starts, first) - 1
        if at >= 0 and stop <= mapped[at][1]:  # what lies on the heap would be written to the swap
            _advise(first, stop, _DROP if _is_as_in_file(first, stop) else _PAGE_OUT)


def release_code(of: str = "") -> None:
    """Let the system take back code and constants that were needed for a moment.

    Args:
        of: What the paths of the libraries contain; all of them without it.
    """
    for start, stop in _mapped("w", of):
        _advise(start, stop, _PAGE_OUT)


def trim() -> None:
    """Give free heap back."""
    library = _libc()
    if library is not None and hasattr(library, "malloc_trim"):
        library.malloc_trim(0)


class Trimming:
    """Gives free heap back each time that the process's own memory has grown by so much since it last did.

    Less often than after each forward pass, which would have its pages brought in anew; soon enough that gaps
    between what is kept do not make the heap grow.

    Args:
        growth: Bytes.
    """

    def __init__(self, growth: int) -> None:
        self.growth, self._least = growth, 0

    def __call__(self) -> None:
        """Trim, if it is time."""
        if _own() - self._least > self.growth:
            trim()
            self._least = _own()


def _own() -> int:
    """Bytes in memory that are of no file."""
    if _libc() is None:
        return 0
    _, resident, shared, *_ = Path("/proc/self/statm").read_text().split()
    return (int(resident) - int(shared)) * mmap.PAGESIZE


def keep_heap_small() -> None:
    """While a model is loaded: large blocks are not kept on the heap, where small ones would pin them."""
    _set_heap(_SEPARATE, 8 * _SEPARATE)


def use_heap_again() -> None:
    """While a model runs: what one layer frees serves the next.

    Fresh pages from the system for each intermediate tensor took a seventh of the processor's time.
    """
    _set_heap(_SEPARATE_RUNNING, 2 * _SEPARATE_RUNNING)


def _set_heap(separate: int, kept: int) -> None:
    library = _libc()
    if library is not None and hasattr(library, "mallopt"):
        library.mallopt(_MMAP_THRESHOLD, separate)
        library.mallopt(_TRIM_THRESHOLD, kept)


@lru_cache(maxsize=1)
def _libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None, use_errno=True) if sys.platform.startswith("linux") else None


def _advise(start: int, stop: int, what: int) -> None:
    library = _libc()
    first = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE
    length = (stop - first) // mmap.PAGESIZE * mmap.PAGESIZE
    if library is not None and length > 0:
        library.madvise(ctypes.c_void_p(first), ctypes.c_size_t(length), what)


def _is_as_in_file(start: int, stop: int) -> bool:
    """Whether no page was written to since it was mapped; then it can be dropped and stays in the cache.

    Paging out would take it from the cache too, and the next process would read it from the disk again.
    """
    first, last = start // mmap.PAGESIZE, -(-stop // mmap.PAGESIZE)
    try:
        with Path("/proc/self/pagemap").open("rb") as file:
            file.seek(8 * first)
            pages = np.frombuffer(file.read(8 * (last - first)), np.uint64)
    except OSError:
        return False
    own = (pages & _PRESENT != 0) & (pages & _OF_FILE == 0)
    return len(pages) == last - first and not bool((own | (pages & _SWAPPED != 0)).any())


def _mapped(without: str, of: str = "") -> list[Span]:
    """Where files are mapped whose paths contain `of`, without those of one permission; ascending."""
    if _libc() is None:
        return []
    lines = (line.split(maxsplit=5) for line in Path("/proc/self/maps").read_text().splitlines())
    files = (f for f in lines if len(f) > 5 and f[5].startswith("/") and of in f[5])
    return [_span(fields[0]) for fields in files if not (without and without in fields[1])]


def _span(text: str) -> Span:
    start, _, stop = text.partition("-")
    return int(start, 16), int(stop, 16)
