"""Weights that were loaded stay what they are, whatever becomes of their file; and the file is not lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from beats_trainer.checkpoint import write
from beats_trainer.checkpoint.read import read_checkpoint
from beats_trainer.errors import CheckpointError
from beats_trainer.publish.card import Statement
from beats_trainer.publish.package import write_publication
from golden_data import TINY

FILES = ["BEATs_iter3_plus_AS2M.pt", "naturebeats.pt", "esp-aves2-sl-beats-all.safetensors"]
# A process of its own: what goes wrong here ends it.
PROGRAM = """
import os, resource, sys
from pathlib import Path
import torch
from beats_trainer.encoder.self_check import check_encoder
from beats_trainer.load import load_model
from safetensors.torch import save_file

file, path, other = (Path(name) for name in sys.argv[1:4])
most = 4096 if "no room" in sys.argv else resource.RLIM_INFINITY
noise = torch.randn(1, 8000, generator=torch.Generator().manual_seed(0)) * 0.1

def loaded(path):
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
    model = load_model(path, device="cpu")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return model

def answers(model):
    with torch.inference_mode():
        fast = model(noise).clone()
    return fast, model(noise).detach()

def check(what):
    path.write_bytes(file.read_bytes())
    model, twin = loaded(path), loaded(path)
    expected = answers(loaded(file))
    exec(what)
    assert all(map(torch.equal, expected, answers(model))), what + ": other answers"
    weights = zip(model.state_dict().values(), loaded(file).state_dict().values(), strict=True)
    assert all(torch.equal(*pair) for pair in weights), what + ": other weights"

for save in {saves}:
    check(save)
    check_encoder(loaded(path))
for harm in {harms}:
    check(harm)
"""
SAVES = [
    "torch.save(model.state_dict(), path)",
    "torch.save({'model': model.state_dict(), 'epoch': 1}, path)",
    "save_file(model.state_dict(), path)",
    "torch.save(twin.state_dict(), other); path.write_bytes(other.read_bytes())",
    "[p.data.mul_(2) for p in twin.parameters()]; torch.save(twin.state_dict(), path)",
    "torch.save(model.state_dict(), other); os.replace(other, path)",
]
HARMS = ["path.write_bytes(b'')", "path.unlink()", "os.truncate(path, 5000)"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits are not set there, nor mapped files written to")
@pytest.mark.parametrize("room", ["room", "no room"])
@pytest.mark.parametrize("file", FILES)
def test_a_model_outlives_its_file_and_can_be_saved_over_it(tmp_path, file, room):
    paths = [str(TINY / file), str(tmp_path / file), str(tmp_path / "other")]

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(saves=SAVES, harms=HARMS), *paths, room],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def _copy(tmp_path: Path, file: str) -> Path:
    path = tmp_path / file
    path.write_bytes((TINY / file).read_bytes())
    return path


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere weights are read")
@pytest.mark.parametrize("file", FILES)
def test_what_is_mapped_has_no_name(tmp_path, file):
    path = _copy(tmp_path, file)
    before = set(_mapped_files())

    checkpoint = read_checkpoint(path)

    assert checkpoint.weights
    added = [name for name in _mapped_files() if name not in before]
    assert added
    assert all(name.endswith("(deleted)") for name in added)


def _mapped_files() -> list[str]:
    lines = (line.split(maxsplit=5) for line in Path("/proc/self/maps").read_text().splitlines())
    return [fields[5].strip() for fields in lines if len(fields) > 5 and fields[5].startswith("/")]


def test_a_checkpoint_is_published_into_its_own_folder(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes((TINY / FILES[-1]).read_bytes())
    before = {name: value.clone() for name, value in read_checkpoint(path).weights.items()}

    write_publication(path, tmp_path, Statement("mit"))

    after = read_checkpoint(path).weights
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_publication_that_fails_leaves_the_file_that_was_there(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    path.write_bytes((TINY / FILES[-1]).read_bytes())
    monkeypatch.setattr(write, "tensors_of", lambda c: {n: torch.ones(1) for n in c.weights})

    with pytest.raises(CheckpointError):
        write_publication(path, tmp_path, Statement("mit"))

    assert path.read_bytes() == (TINY / FILES[-1]).read_bytes()
    assert [found.name for found in tmp_path.iterdir()] == ["model.safetensors"]
