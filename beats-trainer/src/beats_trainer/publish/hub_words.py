"""What the Hub takes in a card: its licences, data sets and models, in its own words.

Source: https://huggingface.co/docs/hub/repositories-licenses and https://huggingface.co/docs/hub/model-cards.
"""

from __future__ import annotations

import difflib
import re

from beats_trainer.errors import BeatsError

LICENCES = frozenset(
    [
        "afl-3.0",
        "agpl-3.0",
        "apache-2.0",
        "apple-amlr",
        "apple-ascl",
        "artistic-2.0",
        "bigcode-openrail-m",
        "bigscience-bloom-rail-1.0",
        "bigscience-openrail-m",
        "bsd",
        "bsd-2-clause",
        "bsd-3-clause",
        "bsd-3-clause-clear",
        "bsl-1.0",
        "c-uda",
        "cc",
        "cc-by-2.0",
        "cc-by-2.5",
        "cc-by-3.0",
        "cc-by-4.0",
        "cc-by-nc-2.0",
        "cc-by-nc-3.0",
        "cc-by-nc-4.0",
        "cc-by-nc-nd-3.0",
        "cc-by-nc-nd-4.0",
        "cc-by-nc-sa-2.0",
        "cc-by-nc-sa-3.0",
        "cc-by-nc-sa-4.0",
        "cc-by-nd-4.0",
        "cc-by-sa-3.0",
        "cc-by-sa-4.0",
        "cc0-1.0",
        "cdla-permissive-1.0",
        "cdla-permissive-2.0",
        "cdla-sharing-1.0",
        "creativeml-openrail-m",
        "deepfloyd-if-license",
        "ecl-2.0",
        "epl-1.0",
        "epl-2.0",
        "etalab-2.0",
        "eupl-1.1",
        "eupl-1.2",
        "fair-noncommercial-research-license",
        "gemma",
        "gfdl",
        "gpl",
        "gpl-2.0",
        "gpl-3.0",
        "h-research",
        "intel-research",
        "isc",
        "lgpl",
        "lgpl-2.1",
        "lgpl-3.0",
        "lgpl-lr",
        "llama2",
        "llama3",
        "llama3.1",
        "llama3.2",
        "llama3.3",
        "llama4",
        "lppl-1.3c",
        "mit",
        "mpl-2.0",
        "ms-pl",
        "ncsa",
        "odbl",
        "odc-by",
        "ofl-1.1",
        "openmdw-1.0",
        "openrail",
        "openrail++",
        "osl-3.0",
        "other",
        "pddl",
        "postgresql",
        "unknown",
        "unlicense",
        "wtfpl",
        "zlib",
    ]
)
# Other spellings of one licence, never of one of several.
_SAME = {"apache-2": "apache-2.0", "cc0": "cc0-1.0", "gplv3": "gpl-3.0", "gplv2": "gpl-2.0",
         "lgplv3": "lgpl-3.0", "agplv3": "agpl-3.0", "mpl-2": "mpl-2.0"}  # fmt: skip
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9]|[._-](?![.-])){0,95}"
_MODEL = re.compile(rf"{_NAME}/{_NAME}")
_DATASET = re.compile(rf"(?:{_NAME}/)?{_NAME}")


class CardError(BeatsError, ValueError):
    """Something that is said of a checkpoint cannot stand in a card of the Hub."""


def hub_licence(stated: str) -> str:
    """A licence in the Hub's word for it: `Apache 2.0` is `apache-2.0`.

    Raises:
        CardError: The Hub has no word for it, or several.
    """
    word = known_licence(stated)
    if word:
        return word
    near = difflib.get_close_matches(_plain(stated), LICENCES, n=3, cutoff=0.6)
    message = (
        f"the licence {stated[:80]!r} has no word on the Hub. Expected one of "
        "https://huggingface.co/docs/hub/repositories-licenses"
        f"{_such_as(near)}. For a licence of your own say other, and put its "
        "text into the repository."
    )
    raise CardError(message)


def _such_as(near: list[str]) -> str:
    return f", such as {', '.join(near)}" if near else ""


def known_licence(stated: str) -> str:
    """The Hub's word for a licence; empty if it has none."""
    plain = _plain(stated)
    words = (stated.strip().lower(), _SAME.get(plain, plain))
    return next((word for word in words if word in LICENCES), "")


def hub_dataset(stated: str) -> str:
    """The name of a data set on the Hub, `OWNER/NAME`, or `NAME` for one of the Hub's own.

    Raises:
        CardError: It is a name of something else.
    """
    if _DATASET.fullmatch(stated) and "--" not in stated:
        return stated
    message = (
        f"{stated[:80]!r} names no data set of the Hub. Expected OWNER/NAME; leave it out, and tell of "
        "others in the text of the card."
    )
    raise CardError(message)


def hub_model(stated: str) -> str:
    """The repository in `OWNER/NAME[@REVISION]` or `OWNER/NAME/FILE`; empty where there is none."""
    parts = stated.removeprefix("hf://").partition("@")[0].split("/")
    name = "/".join(parts[:2])
    return name if _MODEL.fullmatch(name) and "--" not in name else ""


def _plain(stated: str) -> str:
    """Small letters, one hyphen between words; `v2.0` is `2.0`, and a choice of later versions is none."""
    text = re.sub(r"[\s_/,()]+", "-", stated.strip().lower()).strip("-")
    text = re.sub(r"^the-|-(?:license|licence|only|or-later|international)$|-public", "", text)
    return re.sub(r"-(?:version-|v)(?=\d)", "-", re.sub(r"-(?:license|licence)\b", "", text))
