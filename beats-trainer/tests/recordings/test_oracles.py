"""What is read of names and chunks is what guano-py and opensoundscape's own reader read of them."""

from __future__ import annotations

import struct
from datetime import UTC
from pathlib import Path

import pytest
import soundfile
from beats_trainer.recordings.filenames import PLAIN_NAMES
from beats_trainer.recordings.metadata import read_deployment

GUANO = {
    "utc": {"Timestamp": "2021-12-16T21:02:44Z", "Make": "Titley", "Model": "Chorus", "Serial": "12345"},
    "with a zone": {"Timestamp": "2021-12-16T21:02:44+10:30", "Loc Position": "-27.5 152.98"},
    "west": {"Timestamp": "2021-12-16T21:02:44.250-03:00", "Loc Position": "4.6 -74.08", "TE": "10"},
    "local": {"Timestamp": "2021-12-16T21:02:44", "Make": "Wildlife Acoustics", "TE": "1"},
    "a space": {"Timestamp": "2021-12-16 21:02:44", "Model": "SM4BAT"},
}
AUDIOMOTH = {
    "1.0": "19:17:30 10/12/2018 (UTC) by AudioMoth 0FE081F80FE081F0 at gain setting 2 while battery state "
    "was 4.6V",
    "1.2": "19:17:30 10/12/2018 (UTC-5) by AudioMoth 24526B065D325963 at gain setting 2 while battery state "
    "was 3.8V",
    "1.4": "10:25:00 04/04/2020 (UTC+2) by AudioMoth 24F319055FDF2F5B at medium gain setting while battery "
    "state was 4.1V and temperature was 11.2C.",
    "1.8": "05:30:00 31/12/2022 (UTC+11) by AudioMoth 247AA5015EB0A2F2 at medium gain while battery was "
    "greater than 4.9V and temperature was 20.4C.",
}
NAMES = [
    "20181210_191730.WAV",
    "5C0E6BCA.WAV",
    "S4A01234_20220719_053000.wav",
    "SBT-6-76-18_0+1_0_20160621_080000.wav",
    "SwiftOne_20220719_000000_-0400.wav",
    "SwiftOne_20220719_120000_+0530.wav",
    "OWL_123456_2022-07-19_T00-00-00.WAV",
]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "a.wav"
    soundfile.write(path, [0.0] * 1000, 16_000, subtype="PCM_16")
    return path


@pytest.mark.parametrize("fields", GUANO.values(), ids=list(GUANO))
def test_guano_is_read_as_its_reference_implementation_reads_it(recording: Path, fields: dict[str, str]):
    guano = pytest.importorskip("guano")
    written = guano.GuanoFile(str(recording))
    text = "\n".join(["GUANO|Version: 1.0", *(f"{key}: {value}" for key, value in fields.items())])
    written._parse(text)
    written.write(make_backup=False)
    theirs, ours = guano.GuanoFile(str(recording)), read_deployment(recording)
    assert [doubt for doubt in ours.doubts if "cannot be" in doubt] == []
    assert ours.datetime == theirs["Timestamp"]
    assert (ours.datetime.tzinfo is None) is (theirs["Timestamp"].tzinfo is None)
    assert (ours.latitude, ours.longitude) == theirs.get("Loc Position", (None, None))
    assert (ours.time_expansion or 1) == theirs.get("TE", 1)
    assert all(theirs[key] in (ours.device or "") for key in ("Serial",) if key in fields)


def with_comment(recording: Path, comment: str, artist: str) -> Path:
    """As the AudioMoth's firmware writes it: a LIST chunk with ICMT and IART before the sound."""
    tags = b""
    for name, text in ((b"ICMT", comment), (b"IART", artist)):
        content = text.encode() + b"\0"
        content += b"\0" * (len(content) % 2)
        tags += name + struct.pack("<I", len(content)) + content
    whole = recording.read_bytes()
    listed = b"LIST" + struct.pack("<I", len(tags) + 4) + b"INFO" + tags
    body = whole[12:36] + listed + whole[36:]
    recording.write_bytes(b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body)
    return recording


@pytest.mark.parametrize("comment", AUDIOMOTH.values(), ids=list(AUDIOMOTH))
def test_an_audiomoths_comment_is_read_as_opensoundscape_reads_it(recording: Path, comment: str):
    oracle = pytest.importorskip("aru_metadata_parser.parse")  # what opensoundscape itself reads with
    serial = comment.split("AudioMoth ")[1].split()[0]
    with_comment(recording, f"Recorded at {comment}", f"AudioMoth {serial}")
    theirs, ours = oracle.parse_audiomoth_metadata_from_path(recording), read_deployment(recording)
    assert ours.datetime == theirs["recording_start_time"]
    assert ours.datetime.utcoffset() == theirs["recording_start_time"].utcoffset()
    if serial != "0FE081F80FE081F0":  # that of every AudioMoth of firmware 1.0 names none
        assert theirs["device_id"] == f"AudioMoth {ours.device}"


@pytest.mark.parametrize("name", NAMES)
def test_a_recorders_name_is_read_as_opensoundscape_reads_it(name: str):
    oracle = pytest.importorskip("aru_metadata_parser.parse")
    theirs, ours = oracle.parse_aru_file_start_time(name), PLAIN_NAMES.read(name).facts["datetime"]
    if theirs.tzinfo is None or ours.tzinfo is not None:
        assert ours == theirs
    else:  # hexadecimal seconds since 1970
        assert ours.replace(tzinfo=UTC) == theirs
