"""What the Hub answers is read once: nothing in it leads out of a folder, and a digest is a digest."""

import re
from types import SimpleNamespace
from typing import Any

import pytest
from dvc_hf.hub.changes import Entry, commit_hash
from dvc_hf.hub.errors import RejectedError
from dvc_hf.hub.repo import _entry

OID = "0" * 40


@pytest.mark.parametrize(
    "path", ["../x", "a/../../x", "/x", "a//b", ".", "a\\..\\b", "a/.git/config", "a\0", "\x1b[2J", ""]
)
def test_a_listed_path_that_leads_out_is_refused(path: str) -> None:
    for entry in ({"is_folder": True}, {"etag": OID}):
        with pytest.raises(RejectedError, match=re.escape(f"a path inside the repository, got {path!a}")):
            Entry(path, **entry)


@pytest.mark.parametrize(
    "said",
    [
        {"size": -1},
        {"size": "1"},
        {"etag": "../../etc"},
        {"etag": "x" * 5000},
        {"etag": f'"{OID}"'},
        {"etag": None},
        {"xet_hash": "../x"},
        {"last_commit": "main"},
        {"last_commit": f"{OID}\r\nX-Evil: 1"},
    ],
)
def test_what_is_no_size_digest_or_commit_is_refused_in_a_few_words(said: dict[str, Any]) -> None:
    with pytest.raises(RejectedError, match="cannot use what the Hub answered: expected") as refused:
        Entry("a", **{"etag": OID, **said})
    assert len(str(refused.value)) < 400
    assert str(refused.value).isprintable()


def test_a_listing_is_read() -> None:
    large = SimpleNamespace(sha256="1" * 64, size=9)
    item = SimpleNamespace(path="ü/.cache/1:30.wav", blob_id=OID, size=1, lfs=large, xet_hash="2" * 64)
    assert _entry(item) == Entry("ü/.cache/1:30.wav", 9, "1" * 64, True, False, "2" * 64, None)


@pytest.mark.parametrize("said", [None, "", "main", "0" * 39, "0" * 41, "../../..", 7, [OID]])
def test_what_is_no_commit_hash_is_refused(said: object) -> None:
    with pytest.raises(RejectedError, match="expected a commit hash"):
        commit_hash(said)
