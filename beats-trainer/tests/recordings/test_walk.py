"""Which files below a folder are recordings, and what is said of the others; lists that cannot be read."""

from __future__ import annotations

import codecs
import os
import sys

import pytest
from beats_trainer.recordings.sources import find_sources, survey_sources

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16")


def names(*places):
    return [source.name.rpartition("/")[2] for source in find_sources(places)]


@pytest.fixture
def card(record, tmp_path):
    record("card/20240501_053000.WAV", format="WAV")
    for hidden in ("._20240501_053000.WAV", ".Trashes/501/old.WAV", "$RECYCLE.BIN/x.wav", ".hidden/y.wav"):
        record(f"card/{hidden}", format="WAV")
    (tmp_path / "card" / "S4A01234.wac").write_bytes(b"WAac")
    (tmp_path / "card" / "CONFIG.TXT").write_text("gain 2")
    return tmp_path / "card"


def test_what_is_hidden_or_in_a_bin_is_no_recording_and_all_that_is_left_out_is_said(card):
    survey = survey_sources([card])
    assert [source.name.rpartition("/")[2] for source in survey.sources] == ["20240501_053000.WAV"]
    assert str(survey.left_out) == (
        "1 .wac (Wildlife Acoustics' compressed form: Kaleidoscope, or wac2wavcmd, makes WAV of it); "
        "other files: 1 .txt; 4 hidden or of the system"
    )


def test_a_card_without_a_recording_says_what_is_on_it(tmp_path):
    (tmp_path / "a.wac").write_bytes(b"WAac")
    with pytest.raises(FileNotFoundError, match=r"Left out: 1 \.wac .*makes WAV of it"):
        find_sources([tmp_path])


def test_what_was_left_out_is_told_by_the_command(card, tmp_path):
    from beats_trainer.cli.main import main
    from click.testing import CliRunner
    from sounds import TINY

    done = CliRunner().invoke(
        main, ["embed", str(card), "-o", str(tmp_path / "t"), "--model", str(TINY), "--clip-s", "1"]
    )
    assert done.exit_code == 0, done.output
    assert "left out: 1 .wac" in done.output


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other limits")
def test_a_folder_that_cannot_be_opened_costs_its_own_recordings_alone(card):
    deep = os.open(card, os.O_RDONLY)
    for _ in range(21):  # over 4,096 bytes of path, which no call of the system takes
        os.mkdir("d" * 200, dir_fd=deep)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = below
    os.close(os.open("lost.wav", os.O_CREAT | os.O_WRONLY, dir_fd=deep))
    os.close(deep)
    survey = survey_sources([card])
    assert [source.name.rpartition("/")[2] for source in survey.sources] == ["20240501_053000.WAV"]
    assert "1 folders that cannot be opened, the first " in str(survey.left_out)
    assert "(File name too long)" in str(survey.left_out)
    assert len(str(survey.left_out)) < 1_000


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_links_are_followed_once_and_those_that_lead_nowhere_are_counted(record, tmp_path):
    recording = record("store/a.wav")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "linked.wav").symlink_to(recording)
    (tmp_path / "data" / "folder").symlink_to(tmp_path / "store")
    (tmp_path / "data" / "round").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "gone.wav").symlink_to(tmp_path / "nowhere")
    survey = survey_sources([tmp_path / "data"])
    assert [s.name.rpartition("/data/")[2] for s in survey.sources] == ["folder/a.wav", "linked.wav"]
    assert "1 links that lead nowhere (dvc pull or git annex get brings them)" in str(survey.left_out)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with a name")
def test_a_pipe_blocks_nothing(record, tmp_path):
    record("rec/a.wav")
    os.mkfifo(tmp_path / "rec" / "b.wav")
    assert names(tmp_path / "rec") == ["a.wav"]
    with pytest.raises(FileNotFoundError, match="a device or a pipe"):
        find_sources([tmp_path / "rec" / "b.wav"])


def test_a_name_is_relative_to_the_folder_that_a_link_lies_in(record, tmp_path):
    recording = record("cache/ab/cdef.wav")
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo" / "night.wav").symlink_to(recording)
    found = find_sources([tmp_path / "repo"], relative_to=tmp_path / "repo")
    assert [source.name for source in found] == ["night.wav"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", ["list.txt", "list.csv"])
def test_lists_are_read_in_the_encodings_that_programs_write(record, tmp_path, name, encoding):
    record("grün.wav")
    head = "path\n" if name.endswith("csv") else ""
    (tmp_path / name).write_text(f"{head}grün.wav\n", encoding=encoding)
    assert names(tmp_path / name) == ["grün.wav"]


BAD = {
    "a short row": ("datetime,path\n2020-01-01T00:00:00\n", "line 2: it names no recording"),
    "an empty cell": ("path,device\n,x\n", "line 2: it names no recording"),
    "a cell without an end": ('path\n"' + "a" * 200_000 + '"\n', "line 2: it cannot be read (field larger"),
    "a date in words": (
        "path,datetime\na.wav,2020-01-01\nb.wav,yesterday\n",
        "line 3: the time cannot be 'yesterday'",
    ),
    "a latitude that there is not": ("path,latitude\na.wav,510\n", "line 2: latitude cannot be '510'"),
    "a place that is none": ("path,latitude,longitude\na.wav,1,x\n", "line 2: the position cannot be '1, x'"),
    "no column for it": ("a,b\n1,2\n", "has no column with recordings: it has a, b"),
}


@pytest.mark.parametrize(("text", "said"), BAD.values(), ids=BAD)
def test_a_bad_row_names_list_and_line(tmp_path, text, said):
    path = tmp_path / "list.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"list\.csv") as caught:
        find_sources([path])
    assert said in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_list_that_is_no_text_is_named_with_its_byte(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"good.wav\n\xff\xfe\n")
    with pytest.raises(ValueError, match=r"list.txt is no text in UTF-8: byte 9 is 0xff. Save it as UTF-8"):
        find_sources([tmp_path / "list.txt"])
    (tmp_path / "list.txt").write_bytes(codecs.BOM_UTF16_LE + b"a")
    with pytest.raises(ValueError, match=r"list\.txt is no text"):
        find_sources([tmp_path / "list.txt"])
