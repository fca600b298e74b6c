from __future__ import annotations

import pytest
import soundfile
from sounds import TINY, noise


@pytest.fixture
def record(tmp_path):
    """Writes a recording of noise below tmp_path; returns its path."""

    def write(name, seconds=3.0, rate=16_000, channels=1, seed=0, **options):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, noise(seconds, rate, channels, seed), rate, **options)
        return path

    return write


@pytest.fixture(scope="session")
def model():
    from beats_trainer.load import load_model

    return load_model(TINY, device="cpu")


@pytest.fixture
def encoding(model):
    """The tiny encoder with the settings given."""
    from beats_trainer.embed.encode import Encoding
    from beats_trainer.table.settings import Settings

    def make(**settings):
        plain = {
            "clip_s": 1.0,
            "hop_s": 1.0,
            "layers": (model.n_layers,),
            "dim": model.config.encoder_embed_dim,
        }
        return Encoding(model, Settings("tiny", "0" * 64, **{**plain, **settings}))

    return make


@pytest.fixture
def run(encoding):
    """Embeds places into a table."""
    from beats_trainer.embed.run import Options, Run
    from beats_trainer.recordings.sources import find_sources

    def go(out, *places, shard=None, settings=None, callback=None, engine=None, **options):
        sources = find_sources(places, shard=shard)
        extra = {"shard": shard} if shard else {}
        how = Options(**extra, **options)
        return Run(sources, encoding(**(settings or {})), out, how, callback, engine)()

    return go
