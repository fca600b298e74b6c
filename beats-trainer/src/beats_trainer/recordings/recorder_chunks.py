"""What recorders write into their files: GUANO, Wildlife Acoustics' wamd, AudioMoth's comment."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

Written = dict[str, Any]  # a subset of datetime, device, latitude, longitude

_WAMD_MODEL, _WAMD_SERIAL, _WAMD_TIME, _WAMD_GPS = 1, 2, 5, 6
_AUDIOMOTH = re.compile(
    r"Recorded at (?P<time>\d{2}:\d{2}:\d{2})(?:\.\d+)? (?P<date>\d{2}/\d{2}/\d{4}) "
    r"\(UTC(?P<sign>[+-])?(?P<hours>\d{1,2})?(?::(?P<minutes>\d{2}))?\)"
)
_AUDIOMOTH_ID = re.compile(r"by (?:AudioMoth )?(?P<device>[0-9A-F]{16})")


def read_guano(content: bytes) -> Written:
    """`Key: value` lines in UTF-8; https://guano-md.org."""
    lines = content.decode("utf-8", errors="replace").rstrip("\x00\r\n ").splitlines()
    pairs = {k.strip(): v.strip() for k, colon, v in (line.partition(":") for line in lines) if colon}
    facts: Written = {}
    if "Timestamp" in pairs:
        facts |= _time(pairs["Timestamp"])
    device = pairs.get("Serial") or pairs.get("Device") or pairs.get("Model")
    if device:
        facts["device"] = device
    place = pairs.get("Loc Position", "").replace(",", " ").split()
    return facts | (_place(place[0], place[1]) if len(place) == 2 else {})


def read_wamd(content: bytes) -> Written:
    """Entries of `(number, length, bytes)`."""
    texts = dict(_wamd_entries(content))
    facts: Written = {}
    if _WAMD_TIME in texts:
        facts |= _time(texts[_WAMD_TIME])
    device = texts.get(_WAMD_SERIAL) or texts.get(_WAMD_MODEL)
    if device:
        facts["device"] = device
    return facts | _wamd_place(texts.get(_WAMD_GPS, ""))


def read_audiomoth(texts: Mapping[str, str]) -> Written:
    """`Recorded at 19:17:30 10/12/2018 (UTC-5) by AudioMoth 0FE081F80FE081F0 ...` in ICMT."""
    comment = texts.get("ICMT", "")
    facts: Written = {}
    if found := _AUDIOMOTH.search(comment):
        moment = datetime.strptime(f"{found['date']} {found['time']}", "%d/%m/%Y %H:%M:%S")  # noqa: DTZ007
        away = timedelta(hours=int(found["hours"] or 0), minutes=int(found["minutes"] or 0))
        facts["datetime"] = moment.replace(tzinfo=timezone(-away if found["sign"] == "-" else away))
    device = _AUDIOMOTH_ID.search(comment)
    if device:
        facts["device"] = device["device"]
    elif "AudioMoth" in texts.get("IART", ""):
        facts["device"] = texts["IART"].removeprefix("AudioMoth").strip()
    return facts


def info_texts(content: bytes) -> dict[str, str]:
    """The entries of a LIST chunk of kind INFO."""
    texts: dict[str, str] = {}
    position = 4
    while content[:4] == b"INFO" and position + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, position)
        text = content[position + 8 : position + 8 + size].split(b"\x00")[0]
        texts[name.decode("latin-1")] = text.decode("utf-8", errors="replace")
        position += 8 + size + size % 2
    return texts


def _wamd_entries(content: bytes) -> Iterator[tuple[int, str]]:
    position = 0
    while position + 6 <= len(content):
        number, size = struct.unpack_from("<HI", content, position)
        text = content[position + 6 : position + 6 + size]
        yield number, text.decode("utf-8", errors="replace").strip("\x00 ")
        position += 6 + size


def _wamd_place(text: str) -> Written:
    """`WGS84,42.1,N,71.5,W,35`, or signed numbers without letters."""
    parts = [part.strip() for part in text.split(",")][1:]
    if len(parts) >= 4 and parts[1] in {"N", "S"}:
        signs = ["-" if parts[1] == "S" else "", "-" if parts[3] == "W" else ""]
        return _place(signs[0] + parts[0].lstrip("-"), signs[1] + parts[2].lstrip("-"))
    return _place(parts[0], parts[1]) if len(parts) >= 2 else {}


def _place(latitude: str, longitude: str) -> Written:
    try:
        return {"latitude": float(latitude), "longitude": float(longitude)}
    except ValueError:
        return {}


def _time(text: str) -> Written:
    try:
        return {"datetime": datetime.fromisoformat(text.strip().replace("Z", "+00:00"))}
    except ValueError:
        return {}
