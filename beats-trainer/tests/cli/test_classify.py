"""`beats classify` and `beats export`, run as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from beats_trainer.encoder.audioset import display_names
from golden_data import CLIPS, TINY, tiny_model

CPT2 = "BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2.pt"


def _beats(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "beats_trainer", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd)


@pytest.fixture
def recording(tmp_path) -> Path:
    path = tmp_path / "long.wav"
    soundfile.write(path, np.tile(CLIPS["synthetic4_160000"], 2), 16_000, subtype="FLOAT")
    return path


def test_classify_names_the_best_labels_of_each_clip(recording, tmp_path):
    names = tmp_path / "names.csv"
    best, score = tiny_model(CPT2).classify(CLIPS["synthetic4_160000"], top=1)[0][0]
    names.write_text(f'index,mid,display_name\n0,{best},"Dog, barking"\n', encoding="utf-8")

    run = _beats("classify", recording, "--model", TINY / CPT2, "--top", 2, "--names", names, "--json")

    assert run.returncode == 0, run.stderr
    rows = json.loads(run.stdout)
    assert [(row["start_s"], row["end_s"]) for row in rows] == [(0, 10), (0, 10), (10, 20), (10, 20)]
    assert (rows[0]["label"], rows[0]["name"]) == (best, "Dog, barking")
    assert rows[0]["score"] == pytest.approx(score, abs=1e-5)


def test_classify_gives_audiosets_ids_their_names(recording, tmp_path):
    content = torch.load(TINY / CPT2, weights_only=True)
    ids = sorted(display_names())[: len(content["label_dict"])]
    torch.save(content | {"label_dict": dict(enumerate(ids))}, tmp_path / "named.pt")

    run = _beats("classify", recording, "--model", tmp_path / "named.pt", "--top", 1, "--json")

    row = json.loads(run.stdout)[0]
    assert row["name"] == display_names()[row["label"]]


def test_classify_reports_what_cannot_be_read_and_does_the_rest(recording, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound")

    run = _beats("classify", broken, recording, "--model", TINY / CPT2)

    assert run.returncode == 1
    assert "broken.wav" in run.stderr
    assert run.stdout.count("long.wav") == 10


def test_classify_names_what_is_there_of_half_a_recording_when_told_to(recording, tmp_path):
    half = tmp_path / "half.wav"
    half.write_bytes(recording.read_bytes()[: recording.stat().st_size // 2])

    refused = _beats("classify", half, "--model", TINY / CPT2, "--top", 1, "--json")
    kept = _beats("classify", half, "--model", TINY / CPT2, "--top", 1, "--json", "--truncated", "keep")

    assert refused.returncode == 1
    assert "half.wav is truncated" in refused.stderr
    assert "--truncated keep" in refused.stderr
    assert kept.returncode == 0, kept.stderr
    assert len(json.loads(kept.stdout)) == 1


def test_classify_with_a_checkpoint_without_a_head_says_so(recording):
    run = _beats("classify", recording, "--model", TINY / "BEATs_iter3_plus_AS2M.pt")

    assert run.returncode == 1
    assert "This checkpoint has no head" in run.stderr
    assert "Traceback" not in run.stderr


def test_export_writes_a_file_that_the_extractor_can_use(tmp_path):
    run = _beats("export", TINY / CPT2, "--to", "onnx", "--layer", 1, "-o", tmp_path / "one.onnx")

    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == str(tmp_path / "one.onnx")
    assert (tmp_path / "one.onnx").stat().st_size > 100_000


def test_export_refuses_a_name_of_another_runtime(tmp_path):
    run = _beats("export", TINY / CPT2, "--to", "openvino", "-o", tmp_path / "one.onnx")

    assert run.returncode == 1
    assert "End it in .xml" in run.stderr


def test_a_folder_is_classified_as_it_is_embedded(tmp_path):
    for name in ("b.wav", "deep/a.wav", "._hidden.wav"):
        path = tmp_path / "rec" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, CLIPS["synthetic0_16000"], 16_000)
    (tmp_path / "list.txt").write_text("rec/b.wav\n")

    folder = _beats("classify", tmp_path / "rec", "--model", TINY / CPT2, "--top", 1, "--json")
    listed = _beats("classify", tmp_path / "list.txt", tmp_path / "no", "--model", TINY / CPT2, "--json")

    assert folder.returncode == 0, folder.stderr
    names = [Path(row["recording"]).relative_to(tmp_path).as_posix() for row in json.loads(folder.stdout)]
    assert sorted(set(names)) == ["rec/b.wav", "rec/deep/a.wav"]
    assert {Path(row["recording"]).name for row in json.loads(listed.stdout)} == {"b.wav"}
    assert listed.returncode == 1
    assert "no file or folder" in listed.stderr
