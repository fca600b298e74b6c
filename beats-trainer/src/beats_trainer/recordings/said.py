"""What one source says of a recording: what can be is known, what cannot be is told and not known.

Nothing that a recorder, a program or a person wrote here can cost the sound.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

FIRST_YEAR, LAST_YEAR = 1900, 2100
FURTHEST_ZONE = timedelta(hours=14)  # Line Islands
MOST_EXPANDED = 1_000
LONGEST = 100  # letters of a recorder's name
_ZONE = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d{2}))?", re.IGNORECASE)


class Said:
    """The facts of one source, by field, and its doubts, in words.

    Args:
        source: How it is called in a finding: `GUANO`.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.facts: dict[str, Any] = {}
        self.doubts: list[str] = []

    def moment(self, text: str, layout: str | None = None) -> None:
        """The start of the recording: ISO 8601, or another layout of `strptime`."""
        try:
            found = datetime.strptime(text, layout) if layout else datetime.fromisoformat(_iso(text))  # noqa: DTZ007
        except (ValueError, OverflowError):
            self.doubt("the time", text)
            return
        self.at(found, text)

    def at(self, moment: datetime, text: str) -> None:
        """The start of the recording, as it is."""
        zone = moment.utcoffset()
        if not FIRST_YEAR <= moment.year <= LAST_YEAR or (zone is not None and abs(zone) > FURTHEST_ZONE):
            self.doubt("the time", text)
        else:
            self.facts["datetime"] = moment

    def place(self, latitude: str, longitude: str) -> None:
        """Degrees; both 0 is what a receiver writes that has not found itself."""
        text = f"{latitude}, {longitude}"
        try:
            north, east = float(latitude), float(longitude)
        except ValueError:
            self.doubt("the position", text)
            return
        if not (abs(north) <= 90 and abs(east) <= 180) or (north == east == 0):
            self.doubt("the position", text)
        else:
            self.facts |= {"latitude": north, "longitude": east}

    def degrees(self, field: str, text: str, most: float) -> None:
        """One half of a position."""
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if abs(value) <= most:
            self.facts[field] = value
        else:
            self.doubt(field, text)

    def device(self, text: str) -> None:
        """The recorder."""
        name = "".join(c for c in text if c.isprintable()).strip()[:LONGEST]
        if name:
            self.facts["device"] = name

    def expansion(self, text: str) -> None:
        """How many times slower than it was the sound plays."""
        try:
            factor = float(text)
        except ValueError:
            factor = math.nan
        if not 0 < factor <= MOST_EXPANDED:
            self.doubt("the time expansion", text)
        elif factor != 1:
            self.facts["time_expansion"] = factor

    def doubt(self, what: str, text: str) -> None:
        """Something is said that cannot be."""
        self.doubts.append(f"{self.source}: {what} cannot be {text[:60]!r}; it is taken for unknown")


def read_zone(text: str) -> timezone:
    """`+10:00`, `-3`, `UTC+5:30`, `Z`.

    Raises:
        ValueError: It is no distance from UTC.
    """
    stripped = text.strip()
    if stripped.upper() in {"Z", "UTC", "GMT"}:
        return UTC
    found = _ZONE.fullmatch(stripped)
    away = timedelta(hours=int(found[2]), minutes=int(found[3] or 0)) if found else FURTHEST_ZONE * 2
    if not found or away > FURTHEST_ZONE:
        message = f"{text!r} is no distance from UTC. Expected hours and minutes, for example +10:00 or -3."
        raise ValueError(message)
    return timezone(-away if found[1] == "-" else away)


def _iso(text: str) -> str:
    return text.strip().replace("Z", "+00:00")
