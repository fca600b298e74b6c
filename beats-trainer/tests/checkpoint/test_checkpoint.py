from __future__ import annotations

import json
import os
import pickle
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from beats_trainer.checkpoint.build import build
from beats_trainer.checkpoint.read import read_checkpoint
from beats_trainer.checkpoint.untrained import LARGE, write_untrained
from beats_trainer.errors import CheckpointError
from beats_trainer.load import load_model, locate
from golden_data import TINY, TINY_FILES, features, tiny_model
from safetensors.torch import save_file

MICROSOFT = "BEATs_iter3_plus_AS2M.pt"


def _content(file: str = MICROSOFT) -> dict:
    return torch.load(TINY / file, weights_only=True)


def _saved(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "changed.pt"
    torch.save(content, path)
    return path


class _Code:
    def __reduce__(self):
        return os.mkdir, ("ran",)


@pytest.mark.parametrize("file", TINY_FILES)
def test_sizes_come_from_the_tensors(file):
    config = read_checkpoint(TINY / file).config

    assert (config.encoder_layers, config.encoder_embed_dim, config.encoder_attention_heads) == (2, 64, 4)
    assert (config.embed_dim, config.conv_pos, config.conv_pos_groups, config.num_buckets) == (32, 16, 4, 320)


def test_filter_bank_statistics_in_a_file_are_honoured():
    config = read_checkpoint(TINY / "beats_encoder_iter1.pt").config

    assert (config.fbank_mean, config.fbank_std) == (15.66439, 6.38312)
    assert read_checkpoint(TINY / MICROSOFT).config.fbank_mean == 15.41663


def test_heads_carry_the_labels_and_the_activation_that_the_files_say():
    cpt2 = read_checkpoint(TINY / "BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2.pt").heads["predictor"]
    espnet = tiny_model("espnet_finetuned_valid.mAP.best.pth").head()
    silent = read_checkpoint(TINY / "espnet_finetuned_valid.mAP.best.pth").heads["decoder.linear_out"]

    assert (cpt2.labels[:2], len(cpt2.labels), cpt2.activation) == (("/m/00000", "/m/00001"), 527, "sigmoid")
    assert (espnet.labels[:2], len(espnet.labels), espnet.activation) == (
        ("label0", "label1"),
        527,
        "sigmoid",
    )
    assert (silent.labels, silent.activation) == (None, None)


def test_config_yaml_beside_an_espnet_file_is_read_and_says_softmax(tmp_path):
    (tmp_path / "valid.pth").write_bytes((TINY / "espnet_finetuned_valid.mAP.best.pth").read_bytes())
    text = (TINY / "espnet_finetuned_config.yaml").read_text().replace("multi-label", "multi-class")
    (tmp_path / "config.yaml").write_text(text)

    head = read_checkpoint(tmp_path / "valid.pth").heads["decoder.linear_out"]

    assert head.activation == "softmax"
    assert head.labels[0] == "label0"


def test_a_label_map_beside_an_avex_file_names_the_classifier(tmp_path):
    file = "esp-aves2-sl-beats-all.safetensors"
    (tmp_path / file).write_bytes((TINY / file).read_bytes())
    (tmp_path / "label_map.json").write_text(json.dumps({f"species {i}": i for i in range(100)}))

    heads = read_checkpoint(tmp_path / file).heads

    assert heads["classifier"].labels[7] == "species 7"
    assert heads["predictor"].labels is None


@pytest.mark.parametrize("prefix", ["module.", "model.", "beats.", "backbone.model."])
def test_prefixes_are_found_by_content(tmp_path, prefix):
    flat = {prefix + name: value.clone() for name, value in _content()["model"].items()}
    path = tmp_path / "prefixed.safetensors"
    save_file(flat, path)

    ours = features(build(read_checkpoint(path), "cpu"), torch.ones(16_000).cumsum(0).sin())

    theirs = features(tiny_model(MICROSOFT), torch.ones(16_000).cumsum(0).sin())
    assert (ours == theirs).all()


def test_weights_inside_model_state_dict_are_found(tmp_path):
    path = _saved(tmp_path, {"model_state_dict": _content("naturebeats.pt"), "epoch": 3})

    assert read_checkpoint(path).heads["predictor"].activation == "sigmoid"


def test_files_of_the_old_torch_format_are_read(tmp_path):
    path = tmp_path / "legacy.pt"
    torch.save(_content(), path, _use_new_zipfile_serialization=False)

    assert read_checkpoint(path).config == read_checkpoint(TINY / MICROSOFT).config


def test_a_missing_an_unknown_and_a_misshapen_tensor_are_all_named(tmp_path):
    content = _content()
    del content["model"]["encoder.layers.1.fc1.bias"]
    content["model"]["encoder.layers.1.fc3.bias"] = torch.zeros(3)
    content["model"]["layer_norm.bias"] = torch.zeros(7)

    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(_saved(tmp_path, content))

    assert "missing: encoder.layers.1.fc1.bias" in str(caught.value)
    assert "unknown: encoder.layers.1.fc3.bias" in str(caught.value)
    assert "misshapen: layer_norm.bias (7,) instead of (32,)" in str(caught.value)
    assert "Nothing was loaded" in str(caught.value)


def test_a_tensor_that_a_size_is_read_from_is_named_when_it_is_missing(tmp_path):
    content = _content()
    del content["model"]["post_extract_proj.weight"]

    with pytest.raises(CheckpointError, match=r"missing: post_extract_proj\.weight"):
        read_checkpoint(_saved(tmp_path, content))


def test_a_missing_layer_is_named(tmp_path):
    content = _content()
    content["model"] = {k.replace("layers.1.", "layers.2."): v for k, v in content["model"].items()}
    content["cfg"]["encoder_layers"] = 3

    with pytest.raises(CheckpointError, match=r"missing: encoder\.layers\.1\."):
        read_checkpoint(_saved(tmp_path, content))


def test_a_config_that_the_tensors_contradict_is_refused(tmp_path):
    content = _content()
    content["cfg"]["encoder_layers"] = 12

    with pytest.raises(CheckpointError, match="encoder_layers: the config says 12, the tensors say 2"):
        read_checkpoint(_saved(tmp_path, content))


def test_an_architecture_that_no_published_encoder_has_is_refused(tmp_path):
    content = _content()
    content["cfg"]["layer_norm_first"] = True

    with pytest.raises(CheckpointError, match="layer_norm_first: the config says True"):
        read_checkpoint(_saved(tmp_path, content))


def test_layers_that_do_not_share_their_relative_bias_are_refused(tmp_path):
    content = _content()
    content["model"]["encoder.layers.1.self_attn.relative_attention_bias.weight"] += 1

    with pytest.raises(CheckpointError, match=r"different relative biases.*layers\.1"):
        read_checkpoint(_saved(tmp_path, content))


def test_a_misshapen_head_is_refused(tmp_path):
    content = _content("naturebeats.pt")
    content["predictor.bias"] = torch.zeros(3)

    with pytest.raises(CheckpointError, match="the head 'predictor'"):
        read_checkpoint(_saved(tmp_path, content))


@pytest.mark.parametrize(
    ("zipped", "protocol", "named"),
    [(True, 2, "mkdir"), (False, 2, "mkdir"), (False, 4, "instructions that plain tensors do not need")],
)
def test_a_pickle_that_would_run_code_is_refused_and_nothing_runs(
    tmp_path, monkeypatch, zipped, protocol, named
):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "evil.pt"
    if zipped:
        torch.save({"cfg": {}, "model": OrderedDict(x=_Code())}, path)
    else:
        path.write_bytes(pickle.dumps(_Code(), protocol=protocol))

    with pytest.raises(CheckpointError, match=rf"refused.*{named}.*Nothing was run"):
        read_checkpoint(path)

    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>sign in</html>", "an HTML page"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><Error/>", "an XML page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a Git LFS pointer"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "a sound file"),
        (b"hello world, this is text", "something else"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_called_what_it_is(tmp_path, content, named):
    path = tmp_path / "BEATs_iter3_plus_AS2M.pt"
    path.write_bytes(content)

    with pytest.raises(CheckpointError, match=f"{path.name} is no checkpoint: it is {named}"):
        read_checkpoint(path)


@pytest.mark.parametrize("kept", [0.5, 0.99])
@pytest.mark.parametrize("file", [MICROSOFT, "esp-aves2-sl-beats-all.safetensors"])
def test_a_file_that_is_cut_short_is_refused(tmp_path, file, kept):
    whole = (TINY / file).read_bytes()
    path = tmp_path / file
    path.write_bytes(whole[: int(len(whole) * kept)])

    with pytest.raises(CheckpointError, match="cut short"):
        read_checkpoint(path)


def test_tensors_of_another_model_are_no_checkpoint(tmp_path):
    with pytest.raises(CheckpointError, match=r"no patch_embedding\.weight among 1 tensors \(conv\.weight"):
        read_checkpoint(_saved(tmp_path, {"conv.weight": torch.zeros(3)}))


def test_a_list_of_tensors_is_no_checkpoint(tmp_path):
    with pytest.raises(CheckpointError, match="holds a list"):
        read_checkpoint(_saved(tmp_path, [torch.zeros(3)]))


def test_a_path_that_does_not_exist_is_a_plain_file_not_found(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no checkpoint file at .*nowhere\.pt.*beats list"):
        load_model(tmp_path / "nowhere.pt")


def test_a_folder_is_named_as_one(tmp_path):
    with pytest.raises(CheckpointError, match="is a folder"):
        read_checkpoint(tmp_path)


def test_a_path_is_never_looked_up_as_a_name_nor_a_name_as_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("checkpoints").mkdir()
    Path("checkpoints", "yolo.pt").write_bytes((TINY / MICROSOFT).read_bytes())

    assert locate("yolo.pt").path == Path("yolo.pt")
    assert locate("checkpoints/yolo.pt").path == Path("checkpoints/yolo.pt")
    with pytest.raises(FileNotFoundError):
        load_model("yolo.pt")


def test_untrained_files_have_the_shape_of_the_published_ones(tmp_path):
    base = write_untrained(tmp_path / "base.pt")

    content = torch.load(base, weights_only=True, mmap=True)
    assert len(content["model"]) == 250
    assert 361_400_000 < base.stat().st_size < 361_600_000
    assert sum(p.numel() for p in load_model(base).parameters()) == 90_311_792
    assert LARGE.head_dim == 64


def test_the_weights_stay_mapped_from_the_file(tmp_path):
    path = write_untrained(tmp_path / "base.pt")
    before = _resident_bytes()

    checkpoint = read_checkpoint(path)

    assert len(checkpoint.weights) == 239
    assert _resident_bytes() - before < 100_000_000


def _resident_bytes() -> int:
    if not Path("/proc/self/statm").exists():
        pytest.skip("resident memory is read from /proc")
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_model_that_was_loaded_while_inferring_can_still_be_trained():
    with torch.inference_mode():
        model = load_model(TINY / MICROSOFT, device="cpu")

    model(torch.ones(16_000)).sum().backward()

    assert model.patch_embedding.weight.grad is not None
