from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch
from beats_trainer import BEATsFeatureExtractor
from beats_trainer.audio.read import resample
from beats_trainer.encoder.pooling import by_time, pool
from beats_trainer.errors import RecordingError, WaveformError
from golden_data import CLIPS, TINY, tiny_model

FILE = TINY / "BEATs_iter3_plus_AS2M.pt"
CLIP = CLIPS["synthetic0_16000"]
LONG = CLIPS["synthetic4_160000"]


@pytest.fixture(scope="module")
def extractor() -> BEATsFeatureExtractor:
    return BEATsFeatureExtractor(FILE, device="cpu")


def _patches(waveform: np.ndarray, layer: int = -1) -> np.ndarray:
    with torch.inference_mode():
        return tiny_model(FILE.name)(waveform, layer=layer)[0].numpy()


def test_one_waveform_gives_one_vector_of_length_one(extractor):
    vector = extractor.extract_from_array(CLIP, 16_000)

    assert vector.shape == (64,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)


def test_without_normalizing_a_vector_is_the_mean_of_the_patches(extractor):
    vector = extractor.extract_from_array(CLIP, normalize=False)

    np.testing.assert_allclose(vector, _patches(CLIP).mean(0), atol=2e-6)


def test_the_features_of_one_waveform_are_a_batch_of_one(extractor):
    assert extractor.extract_features(CLIP).shape == (1, 64)
    assert extractor.extract_features(torch.from_numpy(np.stack([CLIP, CLIP]))).shape == (2, 64)


def test_a_list_may_be_ragged_and_keeps_its_order(extractor):
    clips = [LONG, CLIP, CLIPS["synthetic2_48000"], CLIP]

    together = extractor.extract_from_batch(clips)

    assert together.shape == (4, 64)
    for clip, vector in zip(clips, together, strict=True):
        np.testing.assert_allclose(vector, extractor.extract_from_array(clip), atol=1e-6)


def test_an_empty_batch_is_refused(extractor):
    with pytest.raises(WaveformError, match="the batch is empty"):
        extractor.extract_from_batch([])


def test_all_layers_are_all_layers(extractor):
    every = extractor.extract_features(CLIP, return_all_layers=True, normalize=False)

    assert every.shape == (1, 3, 64)
    for layer in range(3):
        np.testing.assert_allclose(every[0, layer], _patches(CLIP, layer).mean(0), atol=2e-6)
    assert np.abs(every[0, 1] - every[0, 2]).max() > 0.01


@pytest.mark.parametrize("layer", [0, 1, 2, -1, -3])
def test_the_layer_that_was_asked_for_is_the_one_that_is_given(layer):
    vector = BEATsFeatureExtractor(FILE, "cpu", layer=layer).extract_from_array(CLIP, normalize=False)

    np.testing.assert_allclose(vector, _patches(CLIP, layer).mean(0), atol=2e-6)


def test_an_early_layer_runs_no_layer_after_it(extractor):
    ran = []
    hooks = [
        layer.fc1.register_forward_hook(lambda *_, i=i: ran.append(i))
        for i, layer in enumerate(extractor.model.encoder.layers, 1)
    ]

    with torch.inference_mode():
        extractor.model(CLIP, layer=1)

    for hook in hooks:
        hook.remove()
    assert ran == [1]


@pytest.mark.parametrize("layer", [3, -4])
def test_a_layer_that_does_not_exist_is_refused_with_the_range(layer):
    with pytest.raises(ValueError, match=rf"no layer {layer}; this encoder has 0 .* to 2"):
        BEATsFeatureExtractor(FILE, "cpu", layer=layer)


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("mean", lambda p: p.mean(0)),
        ("max", lambda p: p.max(0)),
        ("first", lambda p: p[0]),
        ("cls", lambda p: p[0]),
        ("last", lambda p: p[-1]),
        ("none", lambda p: p),
        ("time", lambda p: p.reshape(6, 8, 64).mean(0)),
        ("MEAN", lambda p: p.mean(0)),
    ],
)
def test_each_pooling_is_what_it_says(pooling, expected):
    vector = BEATsFeatureExtractor(FILE, "cpu", pooling=pooling).extract_from_array(CLIP, normalize=False)

    np.testing.assert_allclose(vector, expected(_patches(CLIP)), atol=2e-6)


def test_an_unknown_pooling_is_refused_before_anything_is_loaded(tmp_path):
    with pytest.raises(ValueError, match="no pooling 'median'; there are mean, max"):
        BEATsFeatureExtractor(tmp_path / "missing.pt", pooling="median")


def test_unpooled_clips_of_different_lengths_fit_in_no_array():
    unpooled = BEATsFeatureExtractor(FILE, "cpu", pooling="none")

    with pytest.raises(ValueError, match="different numbers of patches"):
        unpooled.extract_from_batch([CLIP, LONG])


def test_patches_by_time_put_the_lowest_frequencies_first():
    patches = torch.arange(16.0).reshape(1, 16, 1)

    assert by_time(patches)[0, :, :, 0].tolist() == [list(range(8)), list(range(8, 16))]
    assert pool(patches, "time")[0, :, 0].tolist() == [4, 5, 6, 7, 8, 9, 10, 11]


def test_short_clips_are_padded_when_the_extractor_says_so(extractor):
    with pytest.raises(WaveformError, match="2800"):
        extractor.extract_from_array(CLIP[:1000])
    padding = BEATsFeatureExtractor(FILE, "cpu", short="pad")
    assert padding.extract_from_array(CLIP[:1000]).shape == (64,)


def test_a_model_with_a_head_names_the_best_labels():
    model = tiny_model("BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2.pt")

    best = model.classify(CLIP, top=3)

    assert len(best) == 1
    labels, scores = zip(*best[0], strict=True)
    expected = model.head().scores(model(CLIP))[0].detach()
    assert labels[0] == f"/m/{int(expected.argmax()):05x}"
    assert list(scores) == sorted(scores, reverse=True)
    assert scores[0] == pytest.approx(float(expected.max()))


def test_a_head_whose_file_does_not_say_asks_for_the_activation():
    model = tiny_model("esp-aves2-sl-beats-all.safetensors")

    with pytest.raises(ValueError, match="sigmoid or a softmax"):
        model.classify(CLIP)
    scores = [score for _, score in model.classify(CLIP, top=100, activation="softmax")[0]]
    assert sum(scores) == pytest.approx(1, abs=1e-5)


def test_a_model_without_a_head_says_that_it_has_none():
    with pytest.raises(LookupError, match="has no head"):
        tiny_model(FILE.name).classify(CLIP)


def test_recordings_give_what_their_waveforms_give(extractor, tmp_path):
    paths = [tmp_path / "long.wav", tmp_path / "short.wav"]
    for path, clip in zip(paths, [LONG, CLIP], strict=True):
        soundfile.write(path, clip, 16_000, subtype="FLOAT")

    together = extractor.extract_from_files(paths, batch_size=1)

    assert together.shape == (2, 64)
    np.testing.assert_allclose(together[0], extractor.extract_from_array(LONG), atol=1e-6)
    np.testing.assert_allclose(together[1], extractor.extract_from_file(paths[1]), atol=1e-6)
    assert extractor.extract_from_files([]).shape == (0, 64)


def test_half_a_recording_is_embedded_only_if_what_is_there_is_to_be_kept(extractor, tmp_path):
    path = tmp_path / "half.ogg"
    soundfile.write(path, CLIPS["synthetic4_160000"], 16_000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(RecordingError, match=r"half\.ogg is truncated"):
        extractor.extract_from_file(path)
    with pytest.raises(RecordingError, match=r"half\.ogg is truncated"):
        extractor.extract_from_files([path])
    kept = extractor.extract_from_file(path, truncated="keep")
    np.testing.assert_array_equal(extractor.extract_from_files([path], truncated="keep"), kept[None])


def test_int16_samples_at_another_rate_are_scaled_too(extractor):
    int16 = (np.repeat(CLIP, 3) * 2**15).astype(np.int16)

    ours = extractor.extract_from_array(int16, 48_000, normalize=False)

    expected = extractor.extract_from_array(int16.astype(np.float64) / 2**15, 48_000, normalize=False)
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_another_sample_rate_is_resampled(extractor):
    at_16k = extractor.extract_from_array(LONG, 16_000)
    at_48k = extractor.extract_from_array(resample(np.repeat(LONG, 3), 48_000), 16_000)

    from_48k = extractor.extract_from_array(np.repeat(LONG, 3), 48_000)

    np.testing.assert_allclose(from_48k, at_48k, atol=1e-6)
    assert float(from_48k @ at_16k) > 0.9
