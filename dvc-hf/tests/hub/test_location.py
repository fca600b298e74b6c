"""A place on the Hub is read once and prints itself back; what cannot be a place is refused."""

import pytest
from dvc_hf.filesystem.remote import HfFileSystem
from dvc_hf.hub.location import Location, hub_url_of, is_commit, parse_path, parse_url
from hypothesis import given
from hypothesis import strategies as st

SHA = "0123456789abcdef0123456789abcdef01234567"
PLACES = {
    "hf://datasets/o/n": Location("dataset", "o/n"),
    "hf://o/n": Location("model", "o/n"),
    "hf://models/o/n/sub/dir": Location("model", "o/n", None, "sub/dir"),
    "hf://spaces/o/n@dev/a b#c?d%20": Location("space", "o/n", "dev", "a b#c?d%20"),
    "hf://datasets/o/n@main/x": Location("dataset", "o/n", None, "x"),
    "hf://datasets/o/n@refs/pr/3/x": Location("dataset", "o/n", "refs/pr/3", "x"),
    "hf://buckets/o/n/sub": Location("bucket", "o/n", None, "sub"),
    f"hf://datasets/o/n@{SHA}/x": Location("dataset", "o/n", SHA, "x"),
}


@pytest.mark.parametrize("url", PLACES)
def test_a_url_is_read_and_printed_back(url: str) -> None:
    place = parse_url(url)
    assert place == PLACES[url]
    assert parse_path(str(place)) == place
    assert parse_path(place.url) == place


@pytest.mark.parametrize(
    "url", ["hf://", "hf://datasets", "hf://datasets/o", "hf://o/n@", "hf://buckets/o/n@dev"]
)
def test_what_names_no_repository_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="names no place on the Hub"):
        parse_url(url)


@pytest.mark.parametrize(
    "path",
    [
        "datasets/o/n@../x",
        "datasets/o/n@..%2F..%2Fapi/x",
        "datasets/o/n@a%2F..%2Fb",
        "datasets/o/n@%2Fetc",
        "datasets/o/n@a%5Cb",
        "datasets/o/n@a%0Ab",
        "datasets/../n/x",
        "models/o/..",
        "models/./n",
    ],
)
def test_what_a_request_would_carry_elsewhere_is_refused(path: str) -> None:
    for read, text in ((parse_path, path), (parse_url, f"hf://{path}")):
        with pytest.raises(ValueError, match="names no place on the Hub"):
            read(text)


def test_only_forty_hex_digits_are_a_version() -> None:
    assert is_commit(SHA)
    assert not is_commit(SHA[:39])
    assert not is_commit("main")


def test_a_version_goes_into_a_path_and_out_again() -> None:
    fs = HfFileSystem(url="hf://datasets/o/n@dev", branch="dev")
    path = "datasets/o/n@dev/a/b"
    versioned = fs.version_path(path, SHA)
    assert versioned == f"datasets/o/n@{SHA}/a/b"
    assert HfFileSystem.split_version(versioned) == ("datasets/o/n/a/b", SHA)
    assert fs.version_path(versioned, None) == path
    assert HfFileSystem.split_version("remote://hub/a@b") == ("remote://hub/a@b", None)
    with pytest.raises(ValueError, match="version mismatch"):
        HfFileSystem.coalesce_version(versioned, "f" * 40)


@pytest.mark.parametrize(
    "address",
    [
        "https://huggingface.co/datasets/o/n",
        "https://user:hf_token@huggingface.co/datasets/o/n",
        "https://huggingface.co/datasets/o/n/tree/main/sub",
        "https://hf.co/datasets/o/n/resolve/main",
    ],
)
def test_a_browsers_address_is_turned_into_the_url(address: str) -> None:
    place = hub_url_of(address)
    assert place is not None
    assert place.url == "hf://datasets/o/n"


def test_another_sites_address_is_none_of_ours() -> None:
    assert hub_url_of("https://example.org/datasets/o/n") is None


names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60
).filter(lambda name: name not in (".", ".."))


@given(st.lists(names, min_size=1, max_size=4))
def test_any_path_survives_the_way_through_dvc(parts: list[str]) -> None:
    fs = HfFileSystem(url="hf://datasets/o/n")
    path = fs.join("datasets/o/n", *parts)
    assert parse_path(path).path_in_repo == "/".join(parts)
    assert fs.parts(path)[3:] == tuple(parts)
    assert fs.relparts(path, "datasets/o/n") == tuple(parts)
    assert HfFileSystem.split_version(fs.version_path(path, SHA)) == (path, SHA)
