from __future__ import annotations

import numpy as np
import pytest
import torch
from beats_trainer.encoder.batches import embed
from beats_trainer.encoder.runtimes import ExportedEncoder, _described, export_encoder
from beats_trainer.errors import CheckpointError
from beats_trainer.extractor import BEATsFeatureExtractor
from beats_trainer.extras import needs
from golden_data import CLIPS, TINY, base_model, tiny_model

FILE = "beats_encoder_iter1.pt"  # has statistics of the filter bank of its own
CLIP = CLIPS["synthetic0_16000"]
RAGGED = [CLIPS[name] for name in ("synthetic4_160000", "synthetic1_5120", "loop_amen", "synthetic1_5120")]
BACKENDS = [("onnxruntime", ".onnx"), ("openvino", ".xml"), ("openvino", ".onnx")]


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("exported")
    return {
        suffix: export_encoder(tiny_model(FILE), folder / f"tiny{suffix}") for suffix in (".onnx", ".xml")
    }


@pytest.mark.parametrize(("backend", "suffix"), BACKENDS)
def test_an_exported_encoder_gives_what_ours_gives_for_clips_of_any_length(exported, backend, suffix):
    encoder = ExportedEncoder(exported[suffix], backend)

    ours = embed(encoder, RAGGED, pooling="none")[0]

    for clip, reference in zip(ours, embed(tiny_model(FILE), RAGGED, pooling="none")[0], strict=True):
        torch.testing.assert_close(clip, reference, rtol=0, atol=2e-5)


@pytest.mark.parametrize(("backend", "suffix"), BACKENDS)
def test_the_extractor_runs_on_another_backend(exported, backend, suffix):
    ours = BEATsFeatureExtractor(exported[suffix], backend=backend).extract_from_batch(RAGGED)

    np.testing.assert_allclose(
        ours, BEATsFeatureExtractor(TINY / FILE, "cpu").extract_from_batch(RAGGED), atol=2e-5
    )


@pytest.mark.slow
def test_the_full_encoder_is_exported_exactly(tmp_path):
    path = export_encoder(base_model(), tmp_path / "base.onnx")

    ours = embed(ExportedEncoder(path, "onnxruntime"), [CLIP], pooling="none")[0][0]

    torch.testing.assert_close(ours, embed(base_model(), [CLIP], pooling="none")[0][0], rtol=0, atol=2e-5)


def test_an_early_layer_can_be_exported_and_no_other_asked_for(tmp_path):
    path = export_encoder(tiny_model(FILE), tmp_path / "one.onnx", layer=1)
    encoder = ExportedEncoder(path, "onnxruntime")

    ours = encoder.hidden(CLIP, [1])[0]

    with torch.inference_mode():
        torch.testing.assert_close(ours, tiny_model(FILE)(CLIP, layer=1), rtol=0, atol=2e-5)
    with pytest.raises(ValueError, match=r"gives layer 1, not -1.*--layer -1"):
        encoder.hidden(CLIP, [-1])


def test_openvino_in_bfloat16_is_near(exported):
    exact, near = (
        ExportedEncoder(exported[".xml"], "openvino", p).hidden(CLIP, [-1])[0] for p in ("fp32", "bf16")
    )

    assert (exact - near).abs().max() < 0.1


@pytest.mark.parametrize(
    ("backend", "name", "error", "match"),
    [
        ("onnxruntime", "tiny.xml", CheckpointError, r"beats export NAME --to onnx"),
        ("openvino", "tiny.pt", CheckpointError, r"beats export NAME --to openvino"),
        ("onnxruntime", "nowhere.onnx", FileNotFoundError, "no exported encoder"),
    ],
)
def test_files_that_do_not_fit_the_backend_are_refused(tmp_path, backend, name, error, match):
    with pytest.raises(error, match=match):
        BEATsFeatureExtractor(tmp_path / name, backend=backend)


def test_an_unknown_backend_is_refused():
    with pytest.raises(ValueError, match="no backend 'jax'; there are torch, onnxruntime, openvino"):
        BEATsFeatureExtractor(TINY / FILE, backend="jax")


def test_onnxruntime_has_no_bfloat16(exported):
    with pytest.raises(ValueError, match="does not run in 'bf16'"):
        BEATsFeatureExtractor(exported[".onnx"], backend="onnxruntime", precision="bf16")


def test_a_name_without_a_known_suffix_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.onnx or \.xml"):
        export_encoder(tiny_model(FILE), tmp_path / "tiny.bin")


def test_a_missing_runtime_names_the_extra(monkeypatch):
    with pytest.raises(ImportError, match=r"pip install 'beats-trainer\[onnx\]"):
        needs("no_such_runtime", "onnx", "this needs a runtime")


@pytest.mark.parametrize(
    ("description", "named"),
    [
        ("[]", r"the whole is \[\]; expected a table"),
        ("[" * 100_000, "it is nested without end"),
        ('{"config": 5, "layer": 1}', "config is 5; expected a table"),
        (
            '{"config": {"max_distance": [[]]}, "layer": 1}',
            r"config\.max_distance is \[\[\]\]; expected a number",
        ),
        ('{"config": {"encoder_layers": 0}, "layer": 1}', "config contradicts itself"),
        ('{"config": {}, "layer": "last"}', "layer is 'last'; expected a whole number"),
        ('{"config": {}}', "layer is None; expected the number of a layer"),
    ],
)
def test_a_description_that_is_none_is_named_with_its_field(tmp_path, description: str, named: str):
    with pytest.raises(CheckpointError, match=rf"cannot read the description in .*e\.onnx: {named}"):
        _described(tmp_path / "e.onnx", description)


def test_what_a_newer_version_says_of_a_config_is_no_fault(tmp_path):
    config, layer = _described(
        tmp_path / "e.onnx", '{"config": {"num_buckets": 160, "newer": [1]}, "layer": 3}'
    )
    assert (config.num_buckets, layer) == (160, 3)
