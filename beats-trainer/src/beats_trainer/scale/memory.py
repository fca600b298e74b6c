"""Gives memory back that is only a second copy: weights that have been laid out anew."""

from __future__ import annotations

import ctypes
import mmap
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from beats_trainer.model import BEATs

_PAGE_OUT = 21  # MADV_PAGEOUT, Linux 5.4: a page that is needed again is read again


@contextmanager
def releasing(model: BEATs) -> Iterator[None]:
    """Release again and again while the weights are laid out, so that both copies are never held together."""
    done = threading.Event()

    def work() -> None:
        while not done.wait(0.1):
            release(model)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        release(model)


def release(model: BEATs) -> None:
    """Let the system take back mapped weights and freed heap, where it can; no value changes."""
    if not sys.platform.startswith("linux") or model.device.type != "cpu":
        return
    library = ctypes.CDLL(None, use_errno=True)
    for parameter in model.parameters():
        start = -(-parameter.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
        stop = parameter.data_ptr() + parameter.numel() * parameter.element_size()
        length = (stop - start) // mmap.PAGESIZE * mmap.PAGESIZE
        if length > 0:
            library.madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), _PAGE_OUT)
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)
