"""The moment, and sometimes the recorder and the place, in the name of a file.

20190726_034500.WAV                                AudioMoth, no zone in the name
5D3A4F1C.WAV                                       AudioMoth before 1.2: seconds since 1970, UTC
247AA5015EB0A2F2_20200504_055500.WAV               AudioMoth with its number
SITE7_20190726_034500.wav, SITE7_0+1_20190726$034500.wav, SITE7_A_20190726_034500_000.wav    Song Meter
20191231T133000+1000_REC_-27.3810+152.8800.flac    BAR-LT
S20240815T095300.123+1000_E20240815T095800.1+1000_-12.34+130.50.wav                          BAR-LT, newer
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

_MOMENT = re.compile(
    r"(?<!\d)(?P<date>(?:19|20)\d{2}-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01]))"
    r"[T_$ -]{1,3}"
    r"(?P<time>(?:[01]\d|2[0-3])[-:]?[0-5]\d[-:]?[0-5]\d)(?!\d)"
    r"(?:\.(?P<fraction>\d{1,6}))?"
    r"(?P<zone>Z|[+-](?:0\d|1[0-4]):?[0-5]\d)?(?![\d])"
)
_UNIX = re.compile(r"(?P<seconds>[0-9A-F]{8})\.[A-Za-z0-9]+")
_DEVICE = re.compile(r"(?P<device>[0-9A-F]{16})_")
_PREFIX = re.compile(r"(?P<device>[A-Za-z0-9][\w.-]*?)_(?:(?:[A-B01]|0\+1|[01]\+?[01]?)_)?$")
_PLACE = re.compile(r"(?P<latitude>[+-]\d{1,2}\.\d{2,})(?P<longitude>[+-]\d{1,3}\.\d{2,})")
_EARLIEST = datetime(2014, 1, 1, tzinfo=UTC).timestamp()  # before the first AudioMoth
_LATEST = datetime(2038, 1, 1, tzinfo=UTC).timestamp()


@dataclass(frozen=True)
class Named:
    """What a name says."""

    datetime: datetime | None = None
    device: str | None = None
    latitude: float | None = None
    longitude: float | None = None


def time_in_name(name: str) -> Named:
    """Reads the patterns above; a name that has none of them says nothing."""
    if unix := _UNIX.fullmatch(name):
        seconds = int(unix["seconds"], 16)
        return Named(datetime.fromtimestamp(seconds, UTC)) if _EARLIEST <= seconds <= _LATEST else Named()
    found = _MOMENT.search(name)
    if not found:
        return Named()
    place = _PLACE.search(name, found.end())
    return Named(
        _moment(found),
        _device(name[: found.start()]),
        float(place["latitude"]) if place else None,
        float(place["longitude"]) if place else None,
    )


def _moment(found: re.Match[str]) -> datetime | None:
    digits = re.sub(r"\D", "", found["date"] + found["time"])
    try:
        moment = datetime.strptime(digits, "%Y%m%d%H%M%S")  # noqa: DTZ007
    except ValueError:  # the 31st of February
        return None
    moment += timedelta(seconds=float(f"0.{found['fraction'] or 0}"))
    return moment.replace(tzinfo=_zone(found["zone"]))


def _zone(text: str | None) -> timezone | None:
    if not text or text == "Z":
        return UTC if text else None
    digits = text[1:].replace(":", "")
    away = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-away if text[0] == "-" else away)


def _device(before: str) -> str | None:
    """What stands before the moment: AudioMoth's number, or the prefix that was given to a Song Meter."""
    if found := _DEVICE.match(before):
        return found["device"]
    found = _PREFIX.match(before)
    return found["device"] if found else None
