"""The user's token, and who may see it: it belongs to the Hub that the user has named, and to no other."""

from __future__ import annotations

import os
import re
from typing import Literal

from huggingface_hub import constants, get_token
from huggingface_hub.utils import build_hf_headers

from beats_trainer.errors import AccessError
from beats_trainer.foreign.measure import shown
from beats_trainer.pins.address import Place
from beats_trainer.pins.origin import origin_of
from beats_trainer.redaction import conceal

VARIABLE = "HF_TOKEN_ORIGINS"
TOKEN = re.compile(r"[\x21-\x7e]+")
ENTRANCES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


def token_for(place: Place) -> str | Literal[False]:
    """The token for requests to a place; `False`, to huggingface_hub none at all, where it has none to see.

    An address that a pin or a tracked `.dvc/config` names is anybody's: only the user can say that it may.

    Raises:
        AccessError: The token that is set is none, or `HF_TOKEN_ORIGINS` names what is no origin.
    """
    if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN or not is_known(place):
        return False
    return own_token() or False


def address_of(place: Place) -> str:
    """The address of a place's Hub."""
    return place.endpoint or constants.ENDPOINT


def headers_for(place: Place) -> dict[str, str]:
    """The headers of a request to a place; its answer is to come as it is, not packed."""
    headers = dict(build_hf_headers(token=token_for(place), library_name="beats-trainer"))
    return headers | {"Accept-Encoding": "identity"}


def is_known(place: Place) -> bool:
    """Whether the user has named the Hub of a place: as the endpoint, or as one that may see the token."""
    origin = origin_of(address_of(place))
    return place.by_user or origin in {origin_of(constants.ENDPOINT), *_named_origins()}


def is_withheld(place: Place) -> bool:
    """Whether there is a token that a place did not get to see."""
    return not is_known(place) and bool(_entered())


def own_token() -> str:
    """The token that is set, trimmed; empty where there is none.

    Raises:
        AccessError: No token looks like it. The message does not show it.
    """
    token = _entered()
    conceal(token)
    if token and not TOKEN.fullmatch(token):
        message = (
            f"the token that is set (HF_TOKEN, or {constants.HF_TOKEN_PATH}) holds a character that no token "
            "has: expected letters, digits and signs of ASCII, without spaces or line ends. It was sent "
            "nowhere. Set it anew with `hf auth login`, or unset HF_TOKEN for public files."
        )
        raise AccessError(message)
    return token


def _entered() -> str:
    """The token as it was set: huggingface_hub joins its lines to one, and so makes it another."""
    token = get_token() or ""
    set_ = (os.environ.get(name, "").strip() for name in ENTRANCES)
    return next((text for text in set_ if "".join(text.splitlines()) == token), token)


def _named_origins() -> set[str]:
    """The origins of `HF_TOKEN_ORIGINS`."""
    named = [entry.strip() for entry in os.environ.get(VARIABLE, "").split(",")]
    origins = {entry: origin_of(entry) for entry in named if entry}
    for entry, origin in origins.items():
        if not origin.startswith(("http://", "https://")):
            message = (
                f"{VARIABLE} names {shown(entry)}, which is no origin: expected https://HOST[:PORT], and "
                "commas between several. Correct it, or unset it."
            )
            raise AccessError(message)
    return set(origins.values())
