"""The moment, and sometimes the recorder and the place, in the name of a file.

20190726_034500.WAV                                AudioMoth, no zone in the name
5D3A4F1C.WAV                                       AudioMoth before 1.2: seconds since 1970, UTC
247AA5015EB0A2F2_20200504_055500.WAV               AudioMoth with its number
SITE7_20190726_034500.wav, SITE7_0+1_20190726$034500.wav, SITE7_A_20190726_034500_000.wav    Song Meter
SwiftOne_20220719_000000_-0400.wav                 Swift
20191231T133000+1000_REC_-27.3810+152.8800.flac    BAR-LT
S20240815T095300.123+1000_E20240815T095800.1+1000_-12.34+130.50.wav                          BAR-LT, newer
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from beats_trainer.recordings.said import Said

_MOMENT = re.compile(
    r"(?<!\d)(?P<date>(?:19|20)\d{2}-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01]))"
    r"[T_$ -]{1,3}"
    r"(?P<time>(?:[01]\d|2[0-3])[-:]?[0-5]\d[-:]?[0-5]\d)(?!\d)"
    r"(?:\.(?P<fraction>\d{1,6}))?"
    r"(?:_(?=[+-]\d{4}(?!\d)))?"  # before a Swift's zone
    r"(?P<zone>Z|[+-](?:0\d|1[0-4]):?(?:00|15|30|45))?"  # others are a number behind the time
)
_UNIX = re.compile(r"(?P<seconds>[0-9A-F]{8})\.[A-Za-z0-9]+")
_DEVICE = re.compile(r"(?P<device>[0-9A-F]{16})_")
_PREFIX = re.compile(r"(?P<device>[A-Za-z0-9][\w.-]*?)_(?:(?:[A-B01]|0\+1|[01]\+?[01]?)_)?$")
_PLACE = re.compile(r"(?P<latitude>[+-]\d{1,2}\.\d{2,})(?P<longitude>[+-]\d{1,3}\.\d{2,})")
_SITES = frozenset({"folder", "device"})
_EXPECTED_SITE = "Expected folder, device, or an expression with a group, for example 'site_([A-Z]+)'."
_EARLIEST = datetime(2014, 1, 1, tzinfo=UTC).timestamp()  # before the first AudioMoth
_LATEST = datetime(2038, 1, 1, tzinfo=UTC).timestamp()


_FIELDS = {"Y": r"\d{4}", "y": r"\d{2}", "j": r"\d{3}", "f": r"\d{1,6}", "z": r"(?:Z|[+-]\d{2}:?\d{2})",
           **dict.fromkeys("mdHMS", r"\d{2}")}  # fmt: skip


@dataclass(frozen=True)
class NameRules:
    """How the names of recordings are read, and what is known of all of them.

    Args:
        zone: Of clocks that name none.
        time_format: Of `strptime`, for names that have none of the patterns above.
        site_from: `folder`, `device`, or a regular expression whose first group is the site, in the path.

    Raises:
        ValueError: The expression or the format is none.
    """

    zone: timezone | None = None
    time_format: str | None = None
    site_from: str | None = None

    def __post_init__(self) -> None:
        if self.time_format is not None:
            _pattern(self.time_format)
        if self.site_from not in {None, *_SITES}:
            try:
                groups = re.compile(str(self.site_from)).groups
            except re.error as error:
                message = f"{self.site_from!r} is no regular expression: {error}. {_EXPECTED_SITE}"
                raise ValueError(message) from error
            if not groups:
                message = f"{self.site_from!r} has no group for the site. {_EXPECTED_SITE}"
                raise ValueError(message)

    def read(self, name: str) -> Said:
        """What a name says; with a format of one's own that alone counts for the time."""
        said = time_in_name(name)
        if self.time_format is None:
            return said
        said.facts.pop("datetime", None)
        found = _pattern(self.time_format).search(name)
        if found:
            said.moment(found.group(), self.time_format)
        return said

    def zoned(self, moment: datetime | None) -> datetime | None:
        """A clock with its zone, where somebody knows it."""
        return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=self.zone)

    def site(self, recording: str, device: str | None) -> str:
        """Where it was recorded: its device, otherwise its folder, unless another rule is given."""
        folder = recording.replace("\\", "/").rpartition("/")[0] or "."
        if self.site_from == "folder":
            return folder
        if self.site_from in {None, "device"}:
            return device or folder
        found = re.search(str(self.site_from), recording)
        return (found[1] if found else None) or folder


PLAIN_NAMES = NameRules()


def time_in_name(name: str) -> Said:
    """Reads the patterns above; a name that has none of them says nothing."""
    said = Said("its name")
    if unix := _UNIX.fullmatch(name):
        seconds = int(unix["seconds"], 16)
        if _EARLIEST <= seconds <= _LATEST and not unix["seconds"].isdecimal():  # else as likely a number
            said.at(datetime.fromtimestamp(seconds, UTC), name)
        return said
    found = _MOMENT.search(name)
    if not found:
        return said
    moment = _moment(found)
    if moment is not None:
        said.at(moment, found.group())
    said.device(_device(name[: found.start()]) or "")
    if place := _PLACE.search(name, found.end()):
        said.place(place["latitude"], place["longitude"])
    return said


def _pattern(time_format: str) -> re.Pattern[str]:
    """Digits where the format has them, the format's own letters between."""
    parts = re.split(r"(%.)", time_format)
    unknown = [part for part in parts if part[:1] == "%" and part[1:] not in {*_FIELDS, "%"}]
    if unknown or not any(part[:1] == "%" for part in parts):
        wrong = unknown[0] if unknown else "no field"
        message = (
            f"{time_format!r} is no format of a time in a name: {wrong}. Expected "
            "%Y %y %m %d %j %H %M %S %f %z and letters between, for example %y%m%d%H%M%S."
        )
        raise ValueError(message)
    return re.compile("".join(_FIELDS.get(p[1:], "%") if p[:1] == "%" else re.escape(p) for p in parts))


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
