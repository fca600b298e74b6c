"""Cards in the Hub's own words, and what has none refused before anything is made."""

from __future__ import annotations

import hashlib

import pytest
import yaml
from beats_trainer.pins.pin import Pin
from beats_trainer.publish.card import Statement, write_card
from beats_trainer.publish.hub_words import LICENCES, CardError, hub_dataset, hub_licence, hub_model
from beats_trainer.publish.package import LicenceError, check_licence, write_publication
from golden_data import TINY
from published import beats

SPELLINGS = {
    "MIT": "mit",
    "MIT License": "mit",
    "Apache 2.0": "apache-2.0",
    "Apache-2": "apache-2.0",
    "Apache License, Version 2.0": "apache-2.0",
    "CC BY-NC-SA 4.0": "cc-by-nc-sa-4.0",
    "cc_by_4.0": "cc-by-4.0",
    "CC0": "cc0-1.0",
    "GPL-3.0-or-later": "gpl-3.0",
    "GPLv3": "gpl-3.0",
    "BSD 3-Clause": "bsd-3-clause",
    "openrail++": "openrail++",
    "GPL v3": "gpl-3.0",
    "GNU GPL v3": "gpl-3.0",
    "GNU Lesser General Public License v2.1": "lgpl-2.1",
    "GNU Affero General Public License version 3 or later": "agpl-3.0",
    "apache2": "apache-2.0",
    "Apache Software License 2.0": "apache-2.0",
    "Creative Commons Attribution 4.0 International": "cc-by-4.0",
    "Creative Commons Attribution-NonCommercial-NoDerivatives 4.0": "cc-by-nc-nd-4.0",
    "CC0 1.0 Universal": "cc0-1.0",
    "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "cc0-1.0",
    "Mozilla Public License 2.0": "mpl-2.0",
    "Llama 3.1": "llama3.1",
    "The Unlicense": "unlicense",
    "OpenMDW 1.1": "openmdw-1.1",
    "other": "other",
}


@pytest.mark.parametrize(("stated", "word"), SPELLINGS.items())
def test_a_licence_is_written_in_the_word_of_the_hub(stated, word):
    assert hub_licence(stated) == word


@pytest.mark.parametrize("word", sorted(LICENCES))
def test_the_words_of_the_hub_are_left_as_they_are(word):
    assert hub_licence(word) == word


@pytest.mark.parametrize(
    "stated", ["CC-BY-NC", "CC BY", "proprietary", "", "apache", "mit or apache", "x" * 9_000]
)
def test_a_licence_without_a_word_or_with_several_is_refused(stated):
    with pytest.raises(CardError, match=r"has no word on the Hub\. Expected one of") as refused:
        hub_licence(stated)
    assert len(str(refused.value)) < 500


def test_a_near_licence_is_named():
    with pytest.raises(CardError, match=r"such as cc-by-nc-4\.0"):
        hub_licence("CC-BY-NC")


@pytest.mark.parametrize("stated", ["alice/sounds", "ESC-50", "ninanor/beats.v2", "a_b/_c"])
def test_data_sets_of_the_hub_are_taken(stated):
    assert hub_dataset(stated) == stated


@pytest.mark.parametrize(
    "stated",
    ["AudioSet 2M", "alice/sounds@main", "a/b/c", "a--b", "../x", "", "a..b", "-a", "a-", "a.", "a/b.git"],
)
def test_what_is_no_data_set_of_the_hub_is_refused(stated):
    with pytest.raises(CardError, match="names no data set of the Hub"):
        hub_dataset(stated)


@pytest.mark.parametrize(
    ("stated", "name"),
    [
        ("alice/base", "alice/base"),
        ("alice/base@main", "alice/base"),
        ("alice/base/BEATs.pt", "alice/base"),
        ("hf://alice/base@v1/x.pt", "alice/base"),
        ("hf://models/alice/base@v1/x.pt", "alice/base"),
        ("hf://datasets/alice/base/x.pt", ""),
        ("alice/base-", ""),
        ("alice/base.git", ""),
        ("BEATs_iter3_plus_AS2M", ""),
        ("", ""),
        ("a--b/c", ""),
    ],
)
def test_a_base_model_is_a_repository_and_nothing_else(stated, name):
    assert hub_model(stated) == name


def front(path):
    return yaml.safe_load(path.read_text(encoding="utf-8").split("---\n")[1])


def test_what_is_published_says_it_in_the_words_of_the_hub(tmp_path):
    statement = Statement("Apache 2.0", "alice/base@main", ("alice/sounds",), "alice/mine")
    write_publication(TINY / "BEATs_iter3_plus_AS2M.pt", tmp_path, statement)
    said = front(tmp_path / "README.md")
    assert (said["license"], said["base_model"], said["datasets"]) == (
        "apache-2.0",
        "alice/base",
        ["alice/sounds"],
    )


def test_the_command_refuses_before_it_converts_or_makes_anything(published, tmp_path):
    source = str(TINY / "BEATs_iter3_plus_AS2M.pt")
    for arguments in (["--licence", "CC-BY-NC"], ["--licence", "mit", "--dataset", "AudioSet 2M"]):
        done = beats(published, "publish", source, "--to", "alice/never-made", *arguments)
        assert done.returncode == 1
        assert "of the Hub" in done.stderr or "on the Hub" in done.stderr
        assert "give the same embeddings" not in done.stderr


def test_licences_are_compared_in_the_words_of_the_hub():
    check_licence("cc-by-nc-sa-4.0", "CC BY-NC-SA 4.0", "base")
    with pytest.raises(LicenceError, match="would lower it: expected no commercial use"):
        check_licence("cc-by-sa-4.0", "CC BY-NC-SA 4.0", "base")


def test_a_licence_of_a_pin_without_a_word_stays_out_of_the_front_matter(tmp_path):
    (tmp_path / "a.pt").write_bytes(b"weights")
    digests = {"sha256": hashlib.sha256(b"weights").hexdigest()}
    path = write_card(tmp_path, [Pin("a", "a.pt", 7, digests, meta={"licence": "all rights reserved"})])
    assert "license" not in front(path)
    assert "| all rights reserved |" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "stated", ["CC-BY-NC 4.0", "Creative Commons Attribution-NonCommercial 4.0 International"]
)
def test_what_a_licence_demands_is_understood_where_it_is_written_out(stated):
    with pytest.raises(LicenceError, match="would lower it: expected no commercial use"):
        check_licence("cc-by-4.0", stated, "base")
    check_licence(stated, "cc-by-nc-4.0", "base")


def test_a_licence_of_ones_own_is_named_and_linked(tmp_path):
    (tmp_path / "a.pt").write_bytes(b"weights")
    said = front(write_card(tmp_path, licence="Birds Only 1.0", link="LICENSE"))
    assert (said["license"], said["license_name"], said["license_link"]) == (
        "other",
        "birds-only-1.0",
        "LICENSE",
    )
    assert "license_link" not in front(write_card(tmp_path, licence="MIT", link="LICENSE"))
    with pytest.raises(CardError, match="is no link to a licence"):
        write_card(tmp_path, licence="Birds Only 1.0", link="../../etc/passwd")


def test_the_command_publishes_a_licence_of_ones_own(published, tmp_path):
    source = str(TINY / "BEATs_iter3_plus_AS2M.pt")
    asked = ["--licence", "Birds Only 1.0", "--licence-link", "https://example.org/birds"]
    done = beats(published, "publish", source, "--to", "alice/never-made", "--dry-run", *asked)
    assert done.returncode == 0, done.stderr


def repository(folder, remote):
    """A DVC repository with a remote, and a checkpoint that is not tracked yet."""
    (folder / ".dvc").mkdir()
    (folder / ".dvc" / "config").write_text(f"[core]\n    remote = hub\n['remote \"hub\"']\n{remote}")
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "mine.pt").write_bytes(b"weights")
    return write_card(folder / "checkpoints").read_text(encoding="utf-8")


URL = "    url = hf://datasets/ninanor/beats-checkpoints"


@pytest.mark.parametrize(
    ("remote", "line", "command"),
    [
        (f"{URL}\n    publish = checkpoints\n", "/mine.pt", "mine.pt"),
        (f"{URL}@dev\n    publish = checkpoints\n", "@dev/mine.pt", "mine.pt --revision dev"),
        (f"{URL}/sub\n    publish = ./checkpoints/\n", "/sub/mine.pt", "sub/mine.pt"),
        (f"{URL}\n    publish = .\n", "/checkpoints/mine.pt", "checkpoints/mine.pt"),
        (f"{URL}\n    version_aware = true\n", "/checkpoints/mine.pt", "checkpoints/mine.pt"),
    ],
)
def test_the_card_names_where_dvc_will_show_the_file(tmp_path, remote, line, command):
    text = repository(tmp_path, remote)
    assert f'BEATsFeatureExtractor("hf://datasets/ninanor/beats-checkpoints{line}")' in text
    assert f"hf download --repo-type dataset ninanor/beats-checkpoints {command}\n" in text
    assert "`dvc pull` brings them into `checkpoints/`" in text


@pytest.mark.parametrize("remote", [f"{URL}\n", f"{URL}\n    publish = elsewhere\n"])
def test_the_card_tells_of_dvc_alone_where_no_plain_names_are_shown(tmp_path, remote):
    text = repository(tmp_path, remote)
    assert 'BEATsFeatureExtractor("checkpoints/mine.pt")' in text
    assert "hf download" not in text
    assert "`dvc pull` brings them into `checkpoints/`" in text


def test_the_card_promises_nothing_where_no_remote_is(tmp_path):
    (tmp_path / "mine.pt").write_bytes(b"weights")
    text = write_card(tmp_path).read_text(encoding="utf-8")
    assert 'BEATsFeatureExtractor("mine.pt")' in text
    assert "hf://" not in text
    assert "OWNER" not in text
    assert "dvc pull" not in text


def test_a_card_for_a_model_repository_downloads_from_one(tmp_path):
    (tmp_path / "mine.pt").write_bytes(b"weights")
    text = write_card(tmp_path, repo_id="hf://alice/mine").read_text(encoding="utf-8")
    assert 'BEATsFeatureExtractor("hf://alice/mine/mine.pt")' in text
    assert "hf download alice/mine mine.pt" in text
