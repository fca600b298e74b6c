"""What a checkpoint's pickle asks for, told from its instructions without following any of them.

PyTorch's own reader runs no code either, but it follows instructions that copy without end. Those of a file
of tensors never do.
"""

from __future__ import annotations

import io
import pickletools
from pathlib import Path

from beats_trainer.errors import CheckpointError

LONGEST = 1 << 20  # those of the published files have 20 to 100 kB
MOST_NESTED = 10**8  # values in tuples that are named again within tuples: to hash one walks through them all
MOST_BUILDS = 100  # each merges a dictionary, which may be a large one; a state dict has one
_PLAIN = frozenset(
    (
        *("PROTO", "STOP", "MARK", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1"),
        *("BINFLOAT", "BINUNICODE", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST"),
        *("APPEND", "APPENDS", "EMPTY_DICT", "SETITEM", "SETITEMS", "EMPTY_SET", "BUILD", "GLOBAL", "REDUCE"),
        *("BINPERSID", "PUT", "BINPUT", "LONG_BINPUT", "GET", "BINGET", "LONG_BINGET"),
    )
)
_TENSORS = ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter")
_DTYPES = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]
_STORAGES = ["Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool"]
_DICT = "collections.OrderedDict"
ALLOWED = frozenset(
    [_DICT, "torch.device", "torch.storage.UntypedStorage", "torch.storage.TypedStorage"]
    + [f"torch._utils.{name}" for name in _TENSORS]
    + [f"torch.{name}" for name in _DTYPES]
    + [f"torch.{name}Storage" for name in _STORAGES]
)


def inspect_pickles(path: Path, data: bytes, count: int = 1) -> None:
    """Looks at the first `count` pickles in `data`.

    Raises:
        CheckpointError: One asks for more than tensors and plain values need; the message names what.
        ValueError: One is damaged, or has no end within `LONGEST`.
    """
    stream = io.BytesIO(data[:LONGEST])
    for _ in range(count):
        asked = _excess(stream)
        if asked:
            raise CheckpointError(_refusal(path, asked))


def _refusal(path: Path, asked: str) -> str:
    return (
        f"{path} is refused: reading it takes {asked}, and a checkpoint is tensors and plain values alone. "
        "Nothing was run. If you trust its author, ask for a file without other Python objects, or for "
        "safetensors."
    )


def _excess(stream: io.BytesIO) -> str:
    """The first thing that a pickle asks for in excess, or nothing."""
    memo: dict[int, str] = {}
    tuples = _Tuples()
    last, builds = "", 0
    for code, argument, _ in pickletools.genops(stream):
        if code.name not in _PLAIN:
            return f"instructions that plain tensors do not need ({code.name})"
        if tuples.follow(code.name, argument) > MOST_NESTED:
            return f"more than {MOST_NESTED:,} values in tuples of tuples"
        if code.name in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[int(str(argument))] = last
            continue
        if last == _DICT and code.name != "EMPTY_TUPLE":
            return f"to call {_DICT} with arguments, which would copy them"
        last = _named(code.name, argument, memo)
        if last and last not in ALLOWED:
            return f"to call {last[:100]}"
        builds += code.name == "BUILD"
        if builds > MOST_BUILDS:
            return f"more than {MOST_BUILDS} merged dictionaries"
    return ""


class _Tuples:
    """How many values the tuples of a pickle hold at most, each counted as often as it is named."""

    def __init__(self) -> None:
        self._held = self._top = 0
        self._sizes: dict[int, int] = {}

    def follow(self, name: str, argument: object) -> int:
        """Counts one instruction; a tuple that is kept holds no more than all that came before it."""
        self._held += 1
        if name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self._sizes[int(str(argument))] = self._top
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self._top = self._sizes.get(int(str(argument)), 0)
            self._held += self._top
        else:
            self._top = self._held if name.startswith("TUPLE") else 0
        return self._held


def _named(name: str, argument: object, memo: dict[int, str]) -> str:
    """The global that an instruction pushes, if it pushes one."""
    if name == "GLOBAL":
        return str(argument).replace(" ", ".")
    return memo.get(int(str(argument)), "") if name in ("GET", "BINGET", "LONG_BINGET") else ""
