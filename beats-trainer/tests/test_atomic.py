from __future__ import annotations

from pathlib import Path

import pytest
from beats_trainer.atomic import written_whole


def test_a_file_is_there_with_all_that_was_written(tmp_path: Path):
    target = tmp_path / "a.txt"
    with written_whole(target) as path:
        assert path.suffix == ".txt"  # some writers look at it
        path.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_was_there_stays_if_writing_fails(tmp_path: Path, error: type[BaseException]):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(error):
        _fail_halfway(target, error)
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_folder_comes_into_being_at_once(tmp_path: Path):
    with written_whole(tmp_path / "folder") as path:
        path.mkdir()
        (path / "one").write_text("1")
        assert not (tmp_path / "folder").exists()
    assert (tmp_path / "folder" / "one").read_text() == "1"


def test_the_longest_name_that_a_disk_takes_can_be_written(tmp_path: Path):
    target = tmp_path / ("a" * 255)
    with written_whole(target) as path:
        path.write_text("new")
    assert target.read_text() == "new"


def test_a_new_file_is_as_readable_as_any_other(tmp_path: Path):
    usual = tmp_path / "usual"
    usual.write_text("")
    with written_whole(tmp_path / "whole") as path:
        path.write_text("")
    assert (tmp_path / "whole").stat().st_mode == usual.stat().st_mode


def _fail_halfway(target: Path, error: type[BaseException]) -> None:
    with written_whole(target) as path:
        path.write_text("half")
        raise error
