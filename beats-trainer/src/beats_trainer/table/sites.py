"""Where a clip was recorded, as far as a table knows."""

from __future__ import annotations


def site_of(recording: str, device: str | None, site: str | None = None) -> str:
    """Its site, its device, otherwise its folder."""
    return site or device or recording.replace("\\", "/").rpartition("/")[0] or "."
