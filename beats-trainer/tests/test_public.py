from __future__ import annotations

import subprocess
import sys

import beats_trainer
import pytest


def test_the_public_names_are_these_and_each_exists():
    assert beats_trainer.__all__ == [
        "BEATsFeatureExtractor",
        "fetch_checkpoint",
        "list_checkpoints",
        "load_model",
    ]
    for name in beats_trainer.__all__:
        assert callable(getattr(beats_trainer, name))
        assert name in dir(beats_trainer)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'BEATsTrainer'"):
        _ = beats_trainer.BEATsTrainer


def test_importing_the_package_and_listing_checkpoints_does_not_import_torch():
    code = (
        "import sys, beats_trainer\n"
        "assert 'torch' not in sys.modules\n"
        "beats_trainer.list_checkpoints; beats_trainer.fetch_checkpoint\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
