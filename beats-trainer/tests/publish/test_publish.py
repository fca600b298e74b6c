"""A checkpoint of one's own: converted, checked, published in one commit, and used from there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from beats_trainer.checkpoint.build import build
from beats_trainer.checkpoint.read import Checkpoint, read_checkpoint
from beats_trainer.errors import AccessError, CheckpointError, FetchError
from beats_trainer.load import load_model
from beats_trainer.pins.address import Place
from beats_trainer.publish.card import Statement
from beats_trainer.publish.package import LicenceError, check_equal, check_licence, write_publication
from beats_trainer.publish.upload import send_files
from huggingface_hub import HfApi
from minihub.upkeep.garbage import collect_garbage
from published import Published, beats, import_pin, upload

TINY = Path(__file__).parents[1] / "golden" / "tiny"
FILES = sorted(path for path in TINY.iterdir() if path.suffix in (".pt", ".pth", ".safetensors"))
RECORDING = Path(__file__).parents[3] / "recordings" / "tabla_tun2.flac"
FINETUNED = TINY / "BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2.pt"


@pytest.mark.parametrize("source", FILES, ids=lambda path: path.name)
def test_every_layout_of_the_family_converts_to_the_same_numbers(source: Path, tmp_path: Path):
    files = write_publication(source, tmp_path, Statement("mit"))
    before, after = read_checkpoint(source), read_checkpoint(files[0])
    assert after.config == before.config
    noise = torch.randn(16_000, generator=torch.Generator().manual_seed(1))
    assert torch.equal(build(before, "cpu")(noise), build(after, "cpu")(noise))
    assert described(after) == described(before)
    assert {"model.safetensors", "config.json", "README.md"} <= {path.name for path in files}


def described(checkpoint: Checkpoint) -> list[tuple[object, ...]]:
    """The heads in their order: the last is the one that `model.head()` gives."""
    return [(head.name, head.labels, head.activation) for head in checkpoint.heads.values()]


def test_labels_that_lie_beside_a_file_travel_inside_the_published_one(tmp_path: Path):
    source = Path(shutil.copy(TINY / "esp-aves2-sl-beats-all.safetensors", tmp_path))
    count = len(read_checkpoint(source).heads["classifier"].bias)
    labels = [f"species {number}" for number in range(count)]
    (tmp_path / "label_map.json").write_text(json.dumps(dict(enumerate(labels))))
    before = read_checkpoint(source)
    (tmp_path / "published").mkdir()
    (model, *_) = write_publication(source, tmp_path / "published", Statement("mit"))
    (tmp_path / "published" / "label_map.json").unlink()  # a fetch does not bring it
    after = read_checkpoint(model)
    assert after.heads["classifier"].labels == tuple(labels)
    assert described(after) == described(before)


def test_a_head_keeps_its_labels(tmp_path: Path):
    files = write_publication(FINETUNED, tmp_path, Statement("mit"))
    before, after = read_checkpoint(FINETUNED), read_checkpoint(files[0])
    assert after.heads["predictor"].labels == before.heads["predictor"].labels
    assert before.heads["predictor"].labels


def test_a_conversion_that_changed_a_number_would_be_caught(tmp_path: Path):
    source = read_checkpoint(FINETUNED)
    weights = dict(source.weights)
    name = "encoder.layers.0.fc1.bias"
    weights[name] = weights[name].clone()
    weights[name][0] += 1e-6
    changed = type(source)(source.path, source.config, weights, source.heads)
    with pytest.raises(CheckpointError, match=f"the tensor {name} changed on conversion"):
        check_equal(source, changed)


def publish(published: Published, *more: str, **env: str):
    arguments = ["publish", str(FINETUNED), "--to", "alice/mine", *more]
    return beats(published, *arguments, **({"HF_TOKEN": published.token} | env))


def test_publishing_is_one_commit_and_the_model_loads_from_there(published: Published, monkeypatch):
    result = publish(published, "--licence", "mit", "--dataset", "agkphysics/AudioSet", "--tag", "v1")
    assert result.returncode == 0, result.stderr
    assert published.hub.requests.count("POST", "/api/models/alice/mine/commit/*") == 1
    fetched = beats(published, "fetch", "alice/mine@v1", "hf://alice/mine/model.safetensors")
    assert fetched.returncode == 0, fetched.stderr
    path = Path(fetched.stdout.splitlines()[0])
    noise = torch.randn(16_000, generator=torch.Generator().manual_seed(1))
    assert torch.equal(load_model(path, device="cpu")(noise), load_model(FINETUNED, device="cpu")(noise))


EMBED = """
import sys
from beats_trainer import BEATsFeatureExtractor
print(BEATsFeatureExtractor(sys.argv[1], device="cpu").extract_from_file(sys.argv[2]).tolist())
"""


def test_the_extractor_takes_what_was_published_by_its_tag_online_and_then_offline(published: Published):
    assert publish(published, "--licence", "mit", "--tag", "v1").returncode == 0
    upload(published.hub, published.token, "alice/mine", {"model.safetensors": b"other"}, "model")

    def embedded(name: str, **env: str) -> str:
        command = [sys.executable, "-c", EMBED, name, str(RECORDING)]
        done = subprocess.run(
            command, env=published.env(**env), capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    wanted = embedded(str(FINETUNED))
    assert embedded("alice/mine@v1") == wanted
    published.hub.requests.clear()
    assert embedded("alice/mine@v1", HF_HUB_OFFLINE="1") == wanted
    assert len(list(published.hub.requests)) == 0


def test_publishing_the_same_again_makes_no_commit(published: Published):
    publish(published, "--licence", "mit")
    first = publish(published, "--licence", "mit", "--json")
    second = publish(published, "--licence", "mit", "--json")
    assert json.loads(first.stdout)["commit"] == json.loads(second.stdout)["commit"]


def test_what_the_hub_collected_since_is_said_with_the_cache_to_remove(published: Published):
    """hf_xet notes what it sent, and sends it no more."""
    through_xet = {"HF_HUB_DISABLE_XET": "0", "HF_XET_CACHE": str(published.folder / "xet")}
    assert publish(published, "--licence", "mit", **through_xet).returncode == 0
    HfApi(published.hub.endpoint, token=published.token).delete_repo("alice/mine")
    assert list(collect_garbage(published.hub.state, grace_s=0))
    refused = publish(published, "--licence", "mit", **through_xet)
    assert refused.returncode == 1
    assert f"Remove the folder {published.folder / 'xet'}" in refused.stderr
    shutil.rmtree(published.folder / "xet")
    assert publish(published, "--licence", "mit", **through_xet).returncode == 0


def test_the_card_and_the_config_say_what_it_is(tmp_path: Path):
    statement = Statement("CC-BY-4.0", "alice/base", ("alice/sounds",), "alice/mine")
    write_publication(FINETUNED, tmp_path, statement)
    front = yaml.safe_load((tmp_path / "README.md").read_text().split("---\n")[1])
    assert front["license"] == "cc-by-4.0"
    assert front["base_model"] == "alice/base"
    assert front["datasets"] == ["alice/sounds"]
    assert front["library_name"] == "beats-trainer"
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["model_type"] == "beats"
    assert config["encoder_layers"] == read_checkpoint(FINETUNED).config.encoder_layers


def test_a_dry_run_shows_the_files_and_sends_nothing(published: Published):
    result = publish(published, "--licence", "mit", "--dry-run")
    assert result.returncode == 0, result.stderr
    assert "model.safetensors" in result.stdout
    assert "config.json" in result.stdout
    assert "Nothing was sent" in result.stderr
    assert published.hub.requests.count("POST", "*") == 0


def test_without_a_licence_nothing_is_published(published: Published):
    result = publish(published)
    assert result.returncode == 1
    assert "no licence is known" in result.stderr
    assert published.hub.requests.count("POST", "*") == 0


def test_the_licence_of_the_base_cannot_be_lowered(published: Published):
    import_pin(
        published.pin,
        "hf://datasets/alice/beats/small.pt",
        published.data,
        published.commit,
        published.hub.endpoint,
        licence="CC-BY-NC-SA-4.0",
    )
    result = publish(published, "--licence", "mit", "--base", "small")
    assert result.returncode == 1
    assert "small has the licence CC-BY-NC-SA-4.0, and mit would lower it" in result.stderr
    assert publish(published, "--base", "small", "--dry-run").returncode == 0


@pytest.mark.parametrize(
    ("licence", "base", "fits"),
    [
        ("mit", "MIT", True),
        ("cc-by-4.0", "MIT", True),
        ("apache-2.0", "CC-BY-4.0", False),
        ("cc-by-nc-4.0", "cc-by-4.0", True),
        ("cc-by-4.0", "cc-by-nc-4.0", False),
        ("cc-by-nc-sa-4.0", "CC-BY-NC-SA-4.0", True),
        ("cc-by-nc-4.0", "CC-BY-NC-SA-4.0", False),
    ],
)
def test_a_licence_fits_its_base_or_it_does_not(licence: str, base: str, fits: bool):
    if fits:
        check_licence(licence, base, "base")
    else:
        with pytest.raises(LicenceError):
            check_licence(licence, base, "base")


@pytest.mark.parametrize("token", ["none", "read", "stranger", "wrong"])
def test_each_kind_of_missing_right_has_its_message(published: Published, token: str):
    tokens = {
        "none": "",
        "read": published.hub.token("alice", role="read"),
        "stranger": published.hub.user("bob"),
        "wrong": "hf_wrong",
    }
    result = publish(published, "--licence", "mit", HF_TOKEN=tokens[token])
    assert result.returncode == 1
    said = {"none": "there is no token", "wrong": "does not accept the token"}
    assert said.get(token, "the Hub does not allow it") in result.stderr
    assert "Traceback" not in result.stderr


def test_a_hub_with_a_fault_is_named_and_nothing_is_half_published(
    published: Published, monkeypatch, tmp_path
):
    monkeypatch.setenv("HF_TOKEN", published.token)
    monkeypatch.setenv("HF_TOKEN_ORIGINS", published.hub.endpoint)
    files = write_publication(FINETUNED, tmp_path, Statement("mit"))
    place = Place("alice/mine", endpoint=published.hub.endpoint)
    published.hub.fail("POST", "*/commit/*", status=500, times=None)
    with pytest.raises(FetchError, match=r"cannot publish to hf://alice/mine: the Hub .* 500\. Run the same"):
        send_files(files, place)
    published.hub.recover()
    published.hub.fail("POST", "*/commit/*", status=429, times=None)
    with pytest.raises(
        FetchError, match=r"too many requests or commits .*status 429\)\)\. Nothing was committed"
    ):
        send_files(files, place)
    published.hub.recover()
    assert len(send_files(files, place)) == 40


@pytest.mark.parametrize("was_there", [True, False])
@pytest.mark.parametrize(
    ("status", "said"),
    [(403, "Your plan has no room for private repositories."), (400, '"license" in README.md is not known')],
)
def test_the_hub_is_quoted_when_it_refuses_and_no_empty_repository_is_left(
    published: Published, monkeypatch, tmp_path, status: int, said: str, was_there: bool
):
    monkeypatch.setenv("HF_TOKEN", published.token)
    monkeypatch.setenv("HF_TOKEN_ORIGINS", published.hub.endpoint)
    files = write_publication(FINETUNED, tmp_path, Statement("mit"))
    api = HfApi(endpoint=published.hub.endpoint, token=published.token)
    if was_there:
        api.create_repo("alice/mine")
    published.hub.fail("POST", "*/commit/*", status=status, headers={"X-Error-Message": said}, times=None)
    with pytest.raises(FetchError) as told:
        send_files(files, Place("alice/mine", endpoint=published.hub.endpoint))
    assert said in str(told.value)
    assert "Run the same command again" not in str(told.value)
    assert api.repo_exists("alice/mine") is was_there


@pytest.mark.parametrize(
    ("status", "cause"), [(409, "a tag of this name exists"), (500, "answered with status 500")]
)
def test_a_tag_that_cannot_be_made_does_not_hide_that_the_files_are_there(
    published: Published, monkeypatch, tmp_path, status: int, cause: str
):
    monkeypatch.setenv("HF_TOKEN", published.token)
    monkeypatch.setenv("HF_TOKEN_ORIGINS", published.hub.endpoint)
    files = write_publication(FINETUNED, tmp_path, Statement("mit"))
    place = Place("alice/mine", endpoint=published.hub.endpoint)
    published.hub.fail("POST", "*/tag/*", status=status, times=None)
    with pytest.raises(
        FetchError, match=r"published to hf://alice/mine as commit \w{40}, and the tag"
    ) as told:
        send_files(files, place, tag="v1")
    assert cause in str(told.value)
    assert "hf repos tag create alice/mine v1 --revision" in str(told.value)


def test_no_token_is_an_error_before_any_request(published: Published, monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(AccessError, match="hf auth login"):
        send_files([], Place("alice/mine", endpoint=published.hub.endpoint))


def test_doctor_shows_role_and_never_the_token_and_each_failure_has_its_remedy(published: Published):
    well = beats(published, "doctor", HF_TOKEN=published.token)
    assert "present, of alice, role write" in well.stdout
    assert "here and verified: none yet" in well.stdout
    assert published.token not in well.stdout + well.stderr
    ill = beats(published, "doctor", HF_TOKEN="hf_wrong", BEATS_CHECKPOINTS="/nowhere")
    assert ill.returncode == 1
    assert "FAIL  token: present, not accepted (status 401)" in ill.stdout
    assert "-> Log in again with `hf auth login`" in ill.stdout
    assert "-> BEATS_CHECKPOINTS names what is no folder: /nowhere" in ill.stdout
    away = beats(published, "doctor", HF_ENDPOINT="http://127.0.0.1:9")
    assert "FAIL  endpoint: http://127.0.0.1:9: ConnectError" in away.stdout
