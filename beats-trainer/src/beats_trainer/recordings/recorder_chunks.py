"""What recorders write into files: GUANO, Wildlife Acoustics' wamd, comments of AudioMoth and FLAC, bext."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from datetime import datetime

from beats_trainer.recordings.said import Said, read_zone

_WAMD_MODEL, _WAMD_SERIAL, _WAMD_TIME, _WAMD_GPS = 1, 2, 5, 6
_AUDIOMOTH = re.compile(
    r"Recorded at (?P<time>\d{2}:\d{2}:\d{2})(?:\.\d+)? (?P<date>\d{2}/\d{2}/\d{4}) "
    r"\(UTC(?P<zone>[+-]\d{1,2}(?::\d{2})?)?\)"
)
_AUDIOMOTH_ID = re.compile(r"by (?:AudioMoth )?(?P<device>[0-9A-F]{16})")
SERIAL_OF_ALL = "0FE081F80FE081F0"  # firmware 1.0 wrote this one on every AudioMoth
_SIGNED = re.compile(r"[+-]?\d+(?:\.\d+)?")
_BEXT_DATE = 320  # bytes of bext before it: description, originator, reference; EBU Tech 3285
_EMPTY_DATE = re.compile(r"[0\W]*")


def read_guano(content: bytes) -> Said:
    """`Key: value` lines in UTF-8; https://guano-md.org."""
    lines = content.decode("utf-8", errors="replace").rstrip("\x00\r\n ").splitlines()
    pairs = {k.strip(): v.strip() for k, colon, v in (line.partition(":") for line in lines) if colon}
    said = Said("GUANO")
    if pairs.get("Timestamp"):
        said.moment(pairs["Timestamp"])
    said.device(pairs.get("Serial") or pairs.get("Device") or pairs.get("Model") or "")
    place = pairs.get("Loc Position", "").replace(",", " ").split()
    if len(place) == 2:
        said.place(*place)
    if pairs.get("TE"):
        said.expansion(pairs["TE"])
    return said


def read_wamd(content: bytes) -> Said:
    """Entries of `(number, length, bytes)`."""
    texts = dict(_wamd_entries(content))
    said = Said("wamd")
    if texts.get(_WAMD_TIME):
        said.moment(texts[_WAMD_TIME])
    said.device(texts.get(_WAMD_SERIAL) or texts.get(_WAMD_MODEL) or "")
    _wamd_place(texts.get(_WAMD_GPS, ""), said)
    return said


def read_audiomoth(texts: Mapping[str, str]) -> Said:
    """`Recorded at 19:17:30 10/12/2018 (UTC-5) by AudioMoth 0FE081F80FE081F0 ...` in ICMT."""
    comment, artist = texts.get("ICMT", ""), texts.get("IART", "")
    said = Said("AudioMoth's comment")
    if found := _AUDIOMOTH.search(comment):
        _audiomoth_moment(found, said)
    known = _AUDIOMOTH_ID.search(comment)
    serial = known["device"] if known else artist if "AudioMoth" in artist else ""
    name = serial.removeprefix("AudioMoth").strip()
    if name == SERIAL_OF_ALL:
        said.doubts.append(f"{said.source}: {name} stands on every AudioMoth of firmware 1.0; it names none")
    else:
        said.device(name)
    return said


def read_bext(content: bytes) -> Said:
    """The origination date and time of a broadcast wave, `2018-12-10` and `19:17:30`."""
    said = Said("bext")
    text = content[_BEXT_DATE : _BEXT_DATE + 18].decode("latin-1")
    date, time = text[:10].strip("\x00 "), text[10:].strip("\x00 ")
    if not (_EMPTY_DATE.fullmatch(date) or not time):
        said.moment("T".join((re.sub(r"\W", "-", date), re.sub(r"\W", ":", time))))
    return said


def read_icrd(texts: Mapping[str, str]) -> Said:
    """The date of INFO, where it has a time of the day."""
    said, text = Said("ICRD"), texts.get("ICRD", "").strip()
    if len(text) > len("2018-12-10"):
        said.moment(text)
    return said


def read_comments(texts: Mapping[str, str]) -> Said:
    """The comments of FLAC and Ogg that Frontier Labs' recorders write."""
    said = Said("its comments")
    if texts.get("RECORDINGSTART"):
        said.moment(texts["RECORDINGSTART"])
    said.device(texts.get("SENSORUID", ""))
    place = _SIGNED.findall(texts.get("SENSORLOCATION", ""))
    if len(place) == 2:
        said.place(*place)
    return said


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


def comment_texts(content: bytes) -> dict[str, str]:
    """A block of Vorbis comments, `NAME=value`; https://xiph.org/vorbis/doc/v-comment.html."""
    texts: dict[str, str] = {}
    position = 4 + int.from_bytes(content[:4], "little")
    count, position = int.from_bytes(content[position : position + 4], "little"), position + 4
    while count > 0 and position + 4 <= len(content):
        size = int.from_bytes(content[position : position + 4], "little")
        name, _, text = content[position + 4 : position + 4 + size].partition(b"=")
        texts[name.decode("ascii", "replace").upper()] = text.decode("utf-8", "replace").strip()
        count, position = count - 1, position + 4 + size
    return texts


def _audiomoth_moment(found: re.Match[str], said: Said) -> None:
    text = f"{found['date']} {found['time']}"
    try:
        zone = read_zone(found["zone"] or "UTC")
        moment = datetime.strptime(text, "%d/%m/%Y %H:%M:%S")  # noqa: DTZ007 - the zone comes next
    except ValueError:
        said.doubt("the time", f"{text} UTC{found['zone'] or ''}")
        return
    said.at(moment.replace(tzinfo=zone), text)


def _wamd_entries(content: bytes) -> Iterator[tuple[int, str]]:
    position = 0
    while position + 6 <= len(content):
        number, size = struct.unpack_from("<HI", content, position)
        text = content[position + 6 : position + 6 + size]
        yield number, text.decode("utf-8", errors="replace").strip("\x00 ")
        position += 6 + size


def _wamd_place(text: str, said: Said) -> None:
    """`WGS84,42.1,N,71.5,W,35`, or signed numbers without letters."""
    parts = [part.strip() for part in text.split(",")][1:]
    if len(parts) >= 4 and parts[1] in {"N", "S"}:
        signs = ["-" if parts[1] == "S" else "", "-" if parts[3] == "W" else ""]
        said.place(signs[0] + parts[0].lstrip("-"), signs[1] + parts[2].lstrip("-"))
    elif len(parts) >= 2:
        said.place(parts[0], parts[1])
