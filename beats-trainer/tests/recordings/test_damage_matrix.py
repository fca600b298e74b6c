"""The table of damage in docs/embed.md: each cell is a recording that is damaged so, and embedded."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from beats_trainer.table.table import read_table
from sounds import noise

PAGE = Path(__file__).parents[3] / "docs" / "embed.md"
SECONDS, GONE = 20, 9_000  # of the recording; bytes of a hole
LATE = "what is there, its times late"
FORMATS = {
    "wav": (16_000, {}),
    "flac": (16_000, {}),
    "mp3": (32_000, {"format": "MP3", "subtype": "MPEG_LAYER_III"}),
    "ogg": (32_000, {"format": "OGG", "subtype": "VORBIS"}),
    "opus": (48_000, {"format": "OGG", "subtype": "OPUS"}),
}


def flipped(content, _):
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :]


def overwritten(content, _):
    at = len(content) // 2
    return content[:at] + bytes(GONE) + content[at + GONE :]


def cut_out(content, _):
    at = len(content) // 2
    return content[:at] + content[at + GONE :]


def halved(content, _):
    return content[: len(content) // 2]


def twice(content, _):
    return content * 2


def unwritten(content, kind):
    """The size of the samples, as a recorder leaves it that could not end."""
    return sized(content, kind, 0)


def stale(content, kind):
    """The size of the samples, as it was at half of them."""
    return sized(content, kind, SECONDS // 2)


def sized(content, kind, seconds):
    changed = bytearray(content)
    rate = FORMATS[kind][0]
    if kind == "wav":
        at = content.index(b"data") + 4
        changed[at : at + 4] = struct.pack("<I", seconds * rate * 2)
    elif kind == "flac":
        changed[21:26] = bytes([changed[21] & 0xF0]) + struct.pack(">I", seconds * rate)
    else:
        at = re.search(rb"Xing|Info", content).start() + 8
        frames = struct.unpack(">I", content[at : at + 4])[0]
        changed[at : at + 4] = struct.pack(">I", frames * seconds // SECONDS)
    return bytes(changed)


def padded(content, _):
    return content + bytes(100_000)


DAMAGES = {
    "a bit that is another": flipped,
    "zeros written over a stretch": overwritten,
    "a stretch that is gone": cut_out,
    "the second half gone": halved,
    "the same file once more behind it": twice,
    "its size never written": unwritten,
    "its size that of half of it": stale,
    "zeros behind it": padded,
}


def matrix():
    """Damage, format, and the cell of the page: what is reported, what is embedded."""
    text = PAGE.read_text(encoding="utf-8")
    lines = text[text.index("| damage |") :].split("\n\n")[0].splitlines()
    head = [cell.strip() for cell in lines[0].strip("|").split("|")][1:]
    for line in lines[2:]:
        damage, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        yield from ((damage, kind, cell) for kind, cell in zip(head, cells, strict=True))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Each format undamaged, as bytes."""
    folder, found = tmp_path_factory.mktemp("whole"), {}
    for kind, (rate, options) in FORMATS.items():
        path = folder / f"a.{kind}"
        soundfile.write(path, noise(SECONDS, rate), rate, **options)
        found[kind] = path.read_bytes()
    return found


@pytest.fixture
def embedded(run, tmp_path):
    """The report's line of a recording, and its rows by their start."""

    def go(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        (line,) = run(tmp_path / f"{name}.table", path).lines
        table = read_table(tmp_path / f"{name}.table")
        return line, dict(zip(table.start_s.round(3), table.embeddings, strict=True))

    return go


def test_the_page_has_every_damage_in_every_format():
    assert {(damage, kind) for damage, kind, _ in matrix()} == {(d, f) for d in DAMAGES for f in FORMATS}


@pytest.mark.parametrize(("damage", "kind", "cell"), list(matrix()))
def test_what_is_damaged_so_is_reported_and_embedded_as_the_page_says(embedded, whole, damage, kind, cell):
    if cell == "-":
        pytest.skip(f"{kind} has no such size")
    told, _, kept = cell.partition(": ")
    sound = embedded(f"whole.{kind}", whole[kind])[1]

    line, found = embedded(f"damaged.{kind}", DAMAGES[damage](whole[kind], kind))

    assert line.status == told.replace("`", "")
    _check(kept, line, found)
    known = SECONDS // 2 - 2 if kept in {"up to it", LATE} else SECONDS
    untouched = [start for start in found if start in sound and start < known]
    tolerant = damage == "a bit that is another" or (kind, kept) == ("wav", "all")
    alike = [float(found[start] @ sound[start]) for start in untouched]
    assert sum(cosine > 0.9999 for cosine in alike) >= len(alike) - 2 * tolerant


def _check(kept, line, found):
    counts = {
        "all": SECONDS,
        "both": 2 * SECONDS,
        "the first": SECONDS,
    }
    if kept in counts:
        assert (len(found), line.facts.left_out) == (counts[kept], 0)
    elif kept == "up to it":
        assert SECONDS // 2 - 2 <= len(found) <= SECONDS // 2
    elif kept == "the sound around it":
        assert line.facts.left_out > 0
        assert SECONDS - 6 <= len(found) == line.facts.clips - line.facts.left_out
        assert {0.0, SECONDS - 2.0} <= found.keys()
    else:
        assert kept == LATE
        assert SECONDS - 3 <= len(found) <= SECONDS


def test_clips_with_a_hole_are_kept_and_marked_where_that_is_asked_for(run, whole, tmp_path):
    path = tmp_path / "a.flac"
    path.write_bytes(overwritten(whole["flac"], "flac"))

    run(tmp_path / "left", path)
    run(tmp_path / "kept", path, settings={"damaged": "keep"})

    left, kept = (read_table(tmp_path / name) for name in ("left", "kept"))
    marks = kept.columns.column("damaged").to_pylist()
    assert (len(kept), sum(marks), not any(left.columns.column("damaged").to_pylist())) == (
        SECONDS, SECONDS - len(left), True,
    )  # fmt: skip
    assert np.isfinite(kept.embeddings).all()
