"""``files/published.json``: which plain names of a repository are ours. Others may have written it."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from dvc_hf.hub import names
from dvc_hf.hub.changes import ETAG
from dvc_hf.publish.plan import Shown, show_refusal

LARGEST = 64 * 1024 * 1024  # bytes: of some three hundred thousand names
_MD5 = re.compile(r"[0-9a-f]{32}")


class ManifestError(ValueError):
    """A text that lists no published names."""


def read_manifest(text: bytes) -> dict[str, Shown]:
    """Read which names are ours; what a push never shows is not, whatever the text says.

    Raises:
        ManifestError: it names the field that is wrong.
    """
    expect_size(len(text))
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        whole = None
    listed = whole.get("names") if isinstance(whole, dict) else None
    if not isinstance(listed, dict):
        reason = "it has no object 'names'"
        raise ManifestError(reason)
    return {name: _shown(name, item) for name, item in listed.items() if show_refusal(name) is None}


def expect_size(size: int) -> None:
    """Refuse what is too large to be read.

    Raises:
        ManifestError: it is larger than any that a push writes.
    """
    if size > LARGEST:
        reason = f"it has {size} bytes, more than {LARGEST}"
        raise ManifestError(reason)


def _shown(name: str, item: Any) -> Shown:
    """Read what is said of one name; further fields are of a later version."""
    fields = item if isinstance(item, dict) else {}
    before = None if fields.get("before") is None else _field(name, fields, "before", ETAG)
    return Shown(_field(name, fields, "md5", _MD5), _field(name, fields, "etag", ETAG), before)


def _field(name: str, fields: dict[str, Any], field: str, form: re.Pattern[str]) -> str:
    value = fields.get(field)
    if not isinstance(value, str) or not form.fullmatch(value):
        reason = f"the '{field}' of {names.quoted(name)} is {names.quoted(value)}"
        raise ManifestError(reason)
    return value


def write_manifest(shown: Mapping[str, Shown]) -> bytes:
    """Write which names are ours; the same names give the same bytes."""
    about = (
        "The names that `dvc push` shows in this repository. dvc-hf changes and removes these, nothing else."
    )
    listed = {name: {k: v for k, v in asdict(item).items() if v} for name, item in sorted(shown.items())}
    return json.dumps({"about": about, "names": listed}, indent=1, ensure_ascii=False).encode() + b"\n"
