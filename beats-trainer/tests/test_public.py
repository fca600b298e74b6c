"""What `import beats_trainer` offers: all is seen, loads when it is used, and does what the command does."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
from pathlib import Path

import beats_trainer
import click
import numpy as np
import pytest
from beats_trainer import BEATsFeatureExtractor, embed_recordings, load_model, read_table, search_table
from beats_trainer.checkpoint.untrained import write_untrained
from beats_trainer.cli.embed import embed
from beats_trainer.embed.choices import WORDS, Choices
from beats_trainer.encoder.config import BEATsConfig
from beats_trainer.errors import CheckpointError
from beats_trainer.hub.fetch import known_checkpoints
from golden_data import TINY

FILE = TINY / "BEATs_iter3_plus_AS2M.pt"
OTHER = TINY / "BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2.pt"
NAMES = [
    "BEATsFeatureExtractor",
    "BEATsTrainer",
    "__version__",
    "embed_recordings",
    "fetch_checkpoint",
    "fit_encoder",
    "list_checkpoints",
    "load_model",
    "read_table",
    "save_checkpoint",
    "search_table",
]
DEEP = BEATsConfig(
    encoder_layers=14,
    encoder_embed_dim=64,
    encoder_ffn_embed_dim=64,
    encoder_attention_heads=4,
    embed_dim=32,
)


def test_the_public_names_are_these_and_each_exists():
    assert beats_trainer.__all__ == NAMES
    assert dir(beats_trainer) == NAMES
    assert all(callable(getattr(beats_trainer, name)) for name in NAMES if name != "__version__")
    assert beats_trainer.__version__.split(".")[0].isdecimal()


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Trainer'"):
        _ = beats_trainer.Trainer


USE = """
from pathlib import Path
from typing import assert_type
import beats_trainer
from beats_trainer.embed.run import Outcome
from beats_trainer.encoder.model import BEATs
from beats_trainer.search.nearest import Match
from beats_trainer.table import Table

assert_type(beats_trainer.__version__, str)
assert_type(beats_trainer.list_checkpoints(), list[str])
assert_type(beats_trainer.fetch_checkpoint("name"), Path)
assert_type(beats_trainer.load_model(), BEATs)
assert_type(beats_trainer.save_checkpoint(beats_trainer.load_model(), "mine.safetensors"), Path)
assert_type(beats_trainer.embed_recordings(["a.wav"], "t", last="pad", layers=[6, -1]), Outcome)
assert_type(beats_trainer.embed_recordings("a.wav", "t", last="padded"), Outcome)
assert_type(beats_trainer.read_table("t"), Table)
assert_type(beats_trainer.search_table("t", "a.wav"), list[Match])
assert_type(beats_trainer.BEATsFeatureExtractor().dim, int)
"""


def test_a_type_checker_sees_every_name_and_every_wrong_word(tmp_path):
    (tmp_path / "use.py").write_text(USE, encoding="utf-8")
    root = Path(__file__).parents[2]
    command = ["mypy", "--strict", "--config-file", str(root / "pyproject.toml"), str(tmp_path / "use.py")]
    done = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, check=False, cwd=root
    )
    faults = [line for line in done.stdout.splitlines() if "error:" in line]
    assert len(faults) == 1, done.stdout + done.stderr
    assert 'Argument "last" to "embed_recordings" has incompatible type' in faults[0]


def test_importing_the_package_and_listing_checkpoints_does_not_import_torch():
    code = (
        "import sys, beats_trainer\n"
        "assert 'torch' not in sys.modules\n"
        "beats_trainer.list_checkpoints; beats_trainer.fetch_checkpoint; beats_trainer.read_table\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_loading_and_embedding_imports_no_compiler():
    code = (
        "import sys, numpy, beats_trainer\n"
        f"extractor = beats_trainer.BEATsFeatureExtractor({str(FILE)!r}, 'cpu')\n"
        "extractor.extract_from_array(numpy.zeros(16000, 'float32') + 0.1)\n"
        "assert 'torch._dynamo' not in sys.modules, 'a second lost'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_command_and_the_library_have_the_same_options_with_the_same_defaults():
    chosen = {field.name: field.default for field in dataclasses.fields(Choices)}
    library = inspect.signature(embed_recordings).parameters
    assert {n: p.default for n, p in library.items() if n not in {"paths", "output", "callback"}} == chosen
    options = {option.name: option for option in embed.params if isinstance(option, click.Option)}
    assert options.keys() - {"output", "as_json"} == chosen.keys()
    with embed.make_context("embed", ["a.wav", "-o", "t"]) as context:
        assert {name: context.params[name] for name in chosen} == chosen


def test_the_words_of_the_options_are_those_of_the_types():
    from typing import get_args

    from beats_trainer.audio.clips import Last
    from beats_trainer.embed.choices import Channels, Damaged, Dtype, Engine, Pooling
    from beats_trainer.encoder.model import Precision
    from beats_trainer.table.settings import POOLINGS

    types = {
        "last": Last,
        "pooling": Pooling,
        "channels": Channels,
        "dtype": Dtype,
        "precision": Precision,
        "engine": Engine,
        "damaged": Damaged,
    }
    assert {name: get_args(kind) for name, kind in types.items()} == WORDS
    assert WORDS["pooling"] == POOLINGS


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"last": "padded"}, "last is 'padded'; expected one of full, pad, drop, extend"),
        ({"batch_size": 0}, "batch_size is 0; expected auto, or a number from 1"),
        ({"batch_size": "many"}, "batch_size is 'many'; expected auto"),
        ({"workers": 0}, "workers is 0; expected a number from 1"),
        ({"precision": "fp16"}, "precision is 'fp16'; expected one of fp32, bf16"),
    ],
)
def test_what_cannot_be_chosen_is_refused_before_anything_is_read(tmp_path, choice, said):
    with pytest.raises(ValueError, match=said):
        embed_recordings(tmp_path / "nothing", tmp_path / "t", **choice)


def test_what_depends_on_the_model_is_taken_from_it(tmp_path, record):
    sound, path = record("a.wav", 2.0), write_untrained(tmp_path / "deep.pt", 1, DEEP)

    outcome = embed_recordings(str(sound), tmp_path / "t.parquet", model=path, device="cpu")

    table, extractor = read_table(outcome.output.path), BEATsFeatureExtractor(path, device="cpu")
    assert (table.metadata["layers"], table.metadata["dim"]) == ([14], 64)
    assert len(table.metadata["sha256"]) == 64
    assert np.allclose(table.embeddings[0], extractor.extract_from_file(sound), atol=2e-5)


def test_a_table_is_searched_with_the_checkpoint_that_made_it_and_no_other(tmp_path, record):
    near, far = record("sounds/near.wav", 2.0, seed=1), record("sounds/far.wav", 2.0, seed=2)
    heard = []
    embed_recordings([near, far], tmp_path / "t", model=FILE, device="cpu", callback=heard.append)
    assert heard[-1].clips == 2

    found = search_table(tmp_path / "t", near, model=FILE, top=1)

    assert [match.recording for match in found] == [str(near)]
    assert found[0].cosine == pytest.approx(1.0, abs=1e-5)
    with pytest.raises(CheckpointError, match="is not the checkpoint of the table: expected sha256"):
        search_table(tmp_path / "t", near, model=OTHER)


def test_each_thing_says_in_a_line_what_it_is(tmp_path, record):
    outcome = embed_recordings(record("a.wav", 2.0), tmp_path / "t", model=FILE, device="cpu", clip_s=1.0)
    extractor = BEATsFeatureExtractor(OTHER, device="cpu", layer=1)
    said = {
        "outcome": (outcome, [str(tmp_path / "t"), "1 recordings", "0 failed", "2 clips"]),
        "table": (read_table(tmp_path / "t"), ["2 rows", "1 recordings", "64 wide", "float32", FILE.name]),
        "extractor": (extractor, [OTHER.name, "layer 1 of ", "64 wide", "mean", "cpu"]),
        "model": (
            extractor.model,
            ["layers", "64 wide", "M weights", "predictor (527 labels)", "fp32", "cpu"],
        ),
        "pin": (known_checkpoints(local_files_only=True)[0], ["BEATs", "bytes", "licence"][:1]),
    }
    for thing, words in said.values():
        assert "\n" not in repr(thing)
        assert len(repr(thing)) < 300
        assert [word for word in words if word not in repr(thing)] == []


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "mps:7"])
def test_a_device_that_is_not_there_is_named_before_anything_is_fetched(device):
    with pytest.raises(ValueError, match=f"There is no device '{device}' here: expected one of cpu"):
        load_model("a-name-that-nobody-knows", device=device)


@pytest.mark.parametrize("change", ["half", "bfloat16", "double"])
def test_weights_of_another_kind_than_the_input_are_told_in_our_words(change):
    model = getattr(load_model(FILE, device="cpu"), change)()
    with pytest.raises(TypeError, match=r"Call model\.float\(\)"):
        model(np.ones(16_000, np.float32))
    assert model.float()(np.ones(16_000, np.float32)).shape[0] == 1
