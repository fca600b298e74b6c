"""Names are bytes: one escape brings them into a table and out again, and no terminal obeys them."""

from __future__ import annotations

import os
import sys

import pytest
from beats_trainer.foreign.names import escaped, printable, safe_cell, unescaped

NAMES = [
    "plain.wav",
    "Grünspecht 3, früh.wav",
    "鳥.wav",
    os.fsdecode(b"caf\xe9.wav"),
    os.fsdecode(b"\xff\xfe\x80"),
    "line\nbreak.wav",
    "\x1b[2J\x1b]0;owned\x07.wav",
    "\x9b31m.wav",
    "\u202egnp.wav",
    r"back\slash.wav",
    r"looks\xe9escaped.wav",
    r"\\x41",
    "👩\u200d🔬.wav",  # of joined letters, which are no control characters
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_comes_back_from_its_text(name):
    text = escaped(name)
    assert unescaped(text) == name
    assert text.encode().decode() == text
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in text)


def test_text_that_needs_no_escape_is_left_as_it_is():
    for name in NAMES[:3]:
        assert escaped(name) == name
    assert escaped(os.fsdecode(b"caf\xe9.wav")) == r"caf\xe9.wav"


def test_a_message_keeps_its_lines_and_loses_what_a_terminal_obeys():
    assert printable("one\x1b[31m\n\ttwo") == "one\\x1b[31m\n\ttwo"


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_a_cell_is_no_formula(cell):
    assert safe_cell(cell) == f"'{cell}"
    assert safe_cell(f"a{cell}") == f"a{cell}"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no names without an encoding")
def test_a_name_of_no_encoding_goes_through_table_report_page_and_exports(record, run, tmp_path, capsys):
    import csv

    from beats_trainer.cli.main import main
    from beats_trainer.table.table import read_table
    from click.testing import CliRunner

    folder = tmp_path / "rec"
    for seed, name in enumerate([b"caf\xe9_20240501_053000.wav", b"\x1b[2J.wav", b"=1+1.wav"]):
        record("rec/a.wav", seed=seed).rename(folder / os.fsdecode(name))
    outcome = run(tmp_path / "t", folder)
    names = {name.rpartition("/")[2] for name in read_table(tmp_path / "t").recordings}
    assert names == {r"caf\xe9_20240501_053000.wav", r"\x1b[2J.wav", "=1+1.wav"}
    assert [line.status for line in outcome.lines] == ["ok"] * 3
    assert not run(tmp_path / "t", folder).progress.clips
    with outcome.output.report.open(newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 3

    for arguments in (
        ["report", tmp_path / "t", "-o", tmp_path / "r.html", "--map", "pca"],
        ["export", tmp_path / "t", "--to", "csv", "-o", tmp_path / "t.csv"],
        ["export", tmp_path / "t", "--to", "raven", "-o", tmp_path / "t.selections.txt"],
        ["export", tmp_path / "t", "--to", "audacity", "-o", tmp_path / "labels"],
        ["export", tmp_path / "t", "--to", "npz", "-o", tmp_path / "t.npz"],
    ):
        done = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert done.exit_code == 0, done.output
        assert "\x1b" not in done.output
    assert (
        "with sound; "
        in CliRunner()
        .invoke(main, ["report", str(tmp_path / "t"), "-o", str(tmp_path / "r.html"), "--map", "pca"])
        .output
    )  # all are found again by the names in the table
