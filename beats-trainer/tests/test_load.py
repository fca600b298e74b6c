"""A checkpoint that is fetched and loaded: whom it trusts, and the self-check against its pin."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from beats_trainer import BEATsFeatureExtractor, load_model
from beats_trainer.encoder.self_check import check_encoder
from beats_trainer.errors import AccessError, CheckpointError, FetchError, PinError
from published import Published, beats, upload

FILE = Path(__file__).parents[0] / "golden" / "tiny" / "BEATs_iter3_plus_AS2M.pt"


@pytest.fixture
def tiny(published: Published, monkeypatch: pytest.MonkeyPatch) -> Published:
    """A model `alice/tiny`, and its pin with a golden vector as `beats pin` writes it."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(published.cache))
    commit = upload(published.hub, published.token, "alice/tiny", {"tiny.pt": FILE.read_bytes()}, "model")
    published.pin.unlink()
    written = beats(
        published, "pin", f"alice/tiny@{commit}", "--golden", "-o", str(published.pin), BEATS_PINS=""
    )
    assert written.returncode == 0, written.stderr
    change(published.pin, endpoint=published.hub.endpoint)
    return published


def change(pin: Path, **meta: object) -> None:
    document = yaml.safe_load(pin.read_text(encoding="utf-8"))
    document["meta"] |= meta
    pin.write_text(yaml.safe_dump(document), encoding="utf-8")


def golden(pin: Path) -> list[float]:
    found: list[float] = yaml.safe_load(pin.read_text(encoding="utf-8"))["meta"]["golden"]
    return found


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_recorded_answer_is_checked_when_the_model_is_loaded(tiny: Published, precision):
    record = golden(tiny.pin)
    assert len(record) == 16
    load_model("tiny", device="cpu", precision=precision)
    change(tiny.pin, golden=[record[0] + 0.5, *record[1:]])
    with pytest.raises(CheckpointError, match=r"another answer to the noise of the self-check than its pin"):
        load_model("tiny", device="cpu", precision=precision)


def test_other_weights_of_the_same_shape_give_another_answer(tiny: Published):
    others = [path for path in FILE.parent.glob("*.pt") if path != FILE]
    for other in others:
        with pytest.raises(CheckpointError, match="than its pin"):
            check_encoder(load_model(other, device="cpu"), golden(tiny.pin))


def test_info_says_whether_an_answer_is_recorded(tiny: Published):
    assert f"golden: {golden(tiny.pin)[0]}" in beats(tiny, "info", "tiny").stdout
    assert "golden: unknown" in beats(tiny, "info", "BEATs_iter3_plus_AS2M").stdout


def test_a_record_that_is_no_list_of_numbers_is_named(tiny: Published):
    change(tiny.pin, golden=["a"])
    with pytest.raises(PinError, match=r"meta\.golden\[0\] is 'a'; expected a number"):
        load_model("tiny", device="cpu")


@pytest.mark.parametrize("load", [load_model, BEATsFeatureExtractor])
def test_only_pinned_files_are_loaded_where_only_these_are_trusted(tiny: Published, load):
    with pytest.raises(FetchError, match="only pinned files are trusted"):
        load("alice/tiny", trust="pinned", device="cpu")
    assert load("tiny", trust="pinned", device="cpu")


@pytest.mark.parametrize("load", [load_model, BEATsFeatureExtractor])
def test_a_licence_against_commerce_is_accepted_by_argument(tiny: Published, load):
    change(tiny.pin, licence="CC-BY-NC-SA-4.0")
    with pytest.raises(AccessError, match="allow_noncommercial=True"):
        load("tiny", device="cpu")
    assert load("tiny", device="cpu", allow_noncommercial=True)


def test_the_digest_that_the_fetch_compared_is_not_computed_again(tiny: Published, monkeypatch):
    from beats_trainer.load import load_found, locate
    from beats_trainer.pins import digest

    computed = []
    once = digest.file_digest
    monkeypatch.setattr(digest, "file_digest", lambda *of: computed.append(of) or once(*of))
    locate("tiny")
    computed.clear()
    found = locate("tiny")
    assert load_found(found, device="cpu").n_layers
    assert [algorithm for _, algorithm in computed] == ["sha256"]
    assert found.sha256 == once(found.path, "sha256")
    assert found.golden == tuple(golden(tiny.pin))
