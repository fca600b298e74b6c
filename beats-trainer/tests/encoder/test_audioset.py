import json
from importlib.resources import files

import pytest
from beats_trainer.encoder.audioset import display_names


def test_labels_have_the_names_that_audioset_gives_them():
    names = display_names()

    assert names["/m/09x0r"] == "Speech"
    assert names["/m/05zppz"] == "Male speech, man speaking"
    assert len(set(names.values())) == 632


def test_every_id_of_the_ontology_that_another_package_knows_has_a_name():
    try:
        taxonomy = files("perch_hoplite.taxonomy").joinpath("taxonomy_database.json")
    except ModuleNotFoundError:
        pytest.skip("perch-hoplite is not installed: make setup")
    known = json.loads(taxonomy.read_text(encoding="utf-8"))["class_lists"]["audioset"]["classes"]

    assert display_names().keys() == set(known)
