"""What the Hub takes in a card: its licences, data sets and models, in its own words.

Source: https://huggingface.co/docs/hub/repositories-licenses and https://huggingface.co/docs/hub/model-cards.
"""

from __future__ import annotations

import difflib
import re

from huggingface_hub.utils import HFValidationError, validate_repo_id

from beats_trainer.errors import BeatsError, PinError
from beats_trainer.pins.address import SCHEME, parse_place

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
        "grok2-community",
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
        "openmdw-1.1",
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
LONGEST = 200  # characters of the name of a licence, written out
# What a licence calls itself where it is written out, and its short form.
_WRITTEN_OUT = {
    r"creative commons": "cc",
    r"attribution": "by",
    r"non ?commercial": "nc",
    r"share ?alike": "sa",
    r"no ?deriv(?:ative)?s?(?: works)?": "nd",
    r"lesser general public": "lgpl",
    r"affero general public": "agpl",
    r"general public": "gpl",
    r"mozilla public": "mpl",
    r"eclipse public": "epl",
    r"european union public": "eupl",
    r"boost software": "bsl",
    r"cc zero": "cc0",
    r"public domain dedication": "",
    r"or later": "",
}
_SILENT = frozenset(
    "the gnu license licence version v international universal unported only software agreement".split()  # noqa: SIM905
)
_SAME = {"cc0": "cc0-1.0"}


class CardError(BeatsError, ValueError):
    """Something that is said of a checkpoint cannot stand in a card of the Hub."""


def licence_fields(stated: str, link: str = "") -> dict[str, str]:
    """What a card says of a licence: the Hub's word; with a link, `other` and its own name if it has none.

    Args:
        stated: Its name, in any spelling.
        link: Where its text is: an address, or the name of a file of the repository.

    Raises:
        CardError: The Hub has no word for it and there is no link, or the link is none.
    """
    word = known_licence(stated)
    if not link or word not in ("", "other"):
        return {"license": hub_licence(stated)}
    if not _LINK.fullmatch(link):
        message = (
            f"{link[:80]!r} is no link to a licence. Expected https://… or the name of a file of the "
            "repository, such as LICENSE."
        )
        raise CardError(message)
    name = re.sub(r"[^a-z0-9.+]+", "-", stated.lower()).strip("-")
    return {"license": "other", "license_name": name, "license_link": link}


def hub_licence(stated: str) -> str:
    """A licence in the Hub's word for it: `Apache 2.0` is `apache-2.0`.

    Raises:
        CardError: The Hub has no word for it, or several.
    """
    word = known_licence(stated)
    if word:
        return word
    near = difflib.get_close_matches(short_name(stated), LICENCES, n=3, cutoff=0.6)
    message = (
        f"the licence {stated[:80]!r} has no word on the Hub. Expected one of "
        "https://huggingface.co/docs/hub/repositories-licenses"
        f"{_such_as(near)}. For a licence of your own say where its text is, with --licence-link."
    )
    raise CardError(message)


def _such_as(near: list[str]) -> str:
    return f", such as {', '.join(near)}" if near else ""


def known_licence(stated: str) -> str:
    """The Hub's word for a licence; empty if it has none."""
    plain = stated.strip().lower()
    if plain in LICENCES:
        return plain
    return _SPELLINGS.get("".join(_words(stated)).replace(".", ""), "")


def short_name(stated: str) -> str:
    """The Hub's word for a licence, else its words in their short form."""
    return known_licence(stated) or "-".join(_words(stated))


def hub_dataset(stated: str) -> str:
    """The name of a data set on the Hub, `OWNER/NAME`, or `NAME` for one of the Hub's own.

    Raises:
        CardError: It is a name of something else.
    """
    try:
        validate_repo_id(stated)
    except HFValidationError as error:
        message = (
            f"{stated[:80]!r} names no data set of the Hub. Expected OWNER/NAME; leave it out, and tell of "
            "others in the text of the card."
        )
        raise CardError(message) from error
    return stated


def hub_model(stated: str) -> str:
    """The model in `OWNER/NAME[@REVISION]` or `OWNER/NAME/FILE`; empty where there is none."""
    try:
        place = parse_place(SCHEME + stated.removeprefix(SCHEME))
    except PinError:
        return ""
    return place.repo_id if place.repo_type == "model" else ""


def _words(stated: str) -> list[str]:
    """The words of a licence's name in their short form, without those that say nothing."""
    text = re.sub(r"\(.*?\)", " ", stated.lower()) if len(stated) <= LONGEST else ""
    text = " ".join(re.split(r"[^a-z0-9.+]+", text))
    for written, short in _WRITTEN_OUT.items():
        text = re.sub(rf"\b{written}\b", short, text)
    words = [re.sub(r"v(?=\d)", "", word).strip(".") for word in text.split()]
    return [word for word in words if word and word not in _SILENT]


def _spellings() -> dict[str, str]:
    """The words of the Hub by their letters and digits; a version `.0` may be left out."""
    full = {_letters(word): word for word in LICENCES if "+" not in word}
    short = {_letters(word.removesuffix(".0")): word for word in LICENCES if word.endswith(".0")}
    return short | full | _SAME


def _letters(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word)


_LINK = re.compile(r"https?://[^\s\x00-\x1f]{1,500}|[\w.\-]{1,100}")
_SPELLINGS = _spellings()
