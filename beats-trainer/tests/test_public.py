from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


def test_loading_and_embedding_imports_no_compiler():
    file = Path(__file__).parent / "golden" / "tiny" / "BEATs_iter3_plus_AS2M.pt"
    code = (
        "import sys, numpy, beats_trainer\n"
        f"extractor = beats_trainer.BEATsFeatureExtractor({str(file)!r}, 'cpu')\n"
        "extractor.extract_from_array(numpy.zeros(16000, 'float32') + 0.1)\n"
        "assert 'torch._dynamo' not in sys.modules, 'a second lost'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
