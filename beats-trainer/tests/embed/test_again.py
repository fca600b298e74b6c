"""A card copied again is read again; rows are replaced exactly once, however the run is killed."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
import soundfile
from beats_trainer.embed import run as running
from beats_trainer.table import writer
from beats_trainer.table.table import read_table
from sounds import noise

OUTPUTS = ["table", "table.parquet"]


def starts(out):
    table = read_table(out)
    return sorted(
        (name.rpartition("/")[2], start) for name, start in zip(table.recordings, table.start_s, strict=True)
    )


def copied(path, content):
    """As a file manager does: other bytes, and the time of now."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_bytes(content)
    os.utime(path, ns=(before + 1_000_000_000,) * 2)


@pytest.fixture
def card(record, tmp_path):
    for seed, name in enumerate("abc"):
        record(f"rec/{name}.wav", 3, seed=seed)
    return tmp_path / "rec"


BAD = {
    "cut": lambda good: good[: len(good) // 3],
    "zeros": lambda good: bytes(len(good)),
    "silent": lambda good: good[:44] + bytes(len(good) - 44),
    "empty": lambda good: b"",
    "no sound": lambda good: b"this is no sound" * 400,
}


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_copy_that_a_good_one_replaced_is_embedded_and_its_rows_go(card, run, tmp_path, output, bad):
    good = (card / "b.wav").read_bytes()
    (card / "b.wav").write_bytes(bad(good))
    run(tmp_path / output, card)
    copied(card / "b.wav", good)

    outcome = run(tmp_path / output, card)

    assert [line.status for line in outcome.lines] == ["ok"] * 3
    assert starts(tmp_path / output) == [(f"{n}.wav", s) for n in "abc" for s in (0.0, 1.0, 2.0)]
    assert [name.rpartition("/")[2] for name in outcome.replaced] == ["b.wav"]
    assert run(tmp_path / output, card).progress.clips == 0


def test_a_file_that_was_only_copied_is_not_embedded_again(card, run, tmp_path, monkeypatch):
    run(tmp_path / "t", card)
    copied(card / "a.wav", (card / "a.wav").read_bytes())
    outcome = run(tmp_path / "t", card)
    assert (outcome.progress.clips, list(outcome.replaced)) == (0, [])
    monkeypatch.setattr(
        "beats_trainer.embed.again.read_clips", lambda *_: pytest.fail("it was read once more")
    )
    assert run(tmp_path / "t", card).progress.clips == 0


def test_other_metadata_of_the_same_sound_replace_the_rows(card, run, tmp_path):
    run(tmp_path / "t", card)
    content = (card / "a.wav").read_bytes()
    text = b"GUANO|Version: 1.0\nSerial: SM4-7 "
    copied(card / "a.wav", content + b"guan" + len(text).to_bytes(4, "little") + text)
    run(tmp_path / "t", card)
    rows = read_table(tmp_path / "t").columns.to_pylist()
    assert {row["device"] for row in rows if row["recording"].endswith("a.wav")} == {"SM4-7"}
    assert len(rows) == 9


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_recording_is_done_again_where_that_is_asked_for_by_name_or_by_path(card, run, tmp_path, output):
    run(tmp_path / output, card)
    name = (card / "a.wav").as_posix()
    assert run(tmp_path / output, card, redo=(name,)).progress.clips == 3
    assert len(starts(tmp_path / output)) == 9
    with pytest.raises(ValueError, match=r"there is no recording z.wav to do again. Expected the name"):
        run(tmp_path / output, card, redo=("z.wav",))


class KilledError(BaseException):
    """As by kill -9: no handler of ours runs."""


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("border", range(8))
def test_a_run_that_is_killed_while_it_replaces_rows_is_finished_by_the_next(
    card, run, tmp_path, monkeypatch, output, border
):
    plain = {"rows_per_part": 2}
    run(tmp_path / output, card, **plain)
    good = (card / "b.wav").read_bytes()
    soundfile.write(card / "b.wav", noise(4, seed=9), 16_000)
    copied(card / "b.wav", (card / "b.wav").read_bytes())
    assert (card / "b.wav").read_bytes() != good
    shutil.copytree(card, tmp_path / "other")
    run(tmp_path / "undisturbed", tmp_path / "other")

    _killed_at(border, monkeypatch, lambda: run(tmp_path / output, card, **plain))
    outcome = run(tmp_path / output, card, **plain)

    assert [line.status for line in outcome.lines] == ["ok"] * 3
    assert starts(tmp_path / output) == starts(tmp_path / "undisturbed")
    ours, theirs = (read_table(tmp_path / out) for out in (output, "undisturbed"))
    order = [np.lexsort((t.start_s, [n.rpartition("/")[2] for n in t.recordings])) for t in (ours, theirs)]
    assert np.allclose(ours.embeddings[order[0]], theirs.embeddings[order[1]], atol=1e-5)


def _killed_at(border, monkeypatch, go):
    """Before the file that would become visible, or go, as the so-manyth one."""
    left = [border]

    def or_dead(honest):
        def call(*arguments, **options):
            if not left[0]:
                raise KilledError
            left[0] -= 1
            return honest(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(writer.Part, "finish", or_dead(writer.Part.finish))
        patch.setattr(writer.Part, "discard", _left_lying)
        patch.setattr(running.Output, "finish", or_dead(running.Output.finish))
        try:
            go()
        except KilledError:
            return


def test_a_recording_that_is_written_to_while_it_is_read_is_read_again_by_the_next_run(
    card, run, tmp_path, monkeypatch
):
    from beats_trainer.recordings import reading

    with monkeypatch.context() as patch:
        patch.setattr(
            reading.Reading, "refuse_change", _grown_before(reading.Reading.refuse_change, card / "a.wav")
        )
        outcome = run(tmp_path / "t", card / "a.wav")
    assert [line.status for line in outcome.failed] == ["changed"]

    outcome = run(tmp_path / "t", card / "a.wav")

    assert ([line.status for line in outcome.lines], len(starts(tmp_path / "t"))) == (["stale"], 4)


def _grown_before(honest, path):
    def call(self):
        with path.open("ab") as file:
            file.write((noise(1)[:, 0] * 32_767).astype("<i2").tobytes())
        return honest(self)

    return call


def _left_lying(part):
    part._writer.close()
    part._file.close()


def test_a_table_that_knows_no_times_of_writing_goes_by_size(card, run, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("beats_trainer.table.journal._entry_as_list", _without_stamp)
        run(tmp_path / "t", card)
    assert run(tmp_path / "t", card).progress.clips == 0
    soundfile.write(card / "a.wav", noise(5), 16_000)
    assert run(tmp_path / "t", card).progress.clips == 5


def _without_stamp(entry):
    return [entry.done.ranges, entry.facts.as_dict() if entry.facts else None]
