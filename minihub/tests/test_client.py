"""The unmodified huggingface_hub against the Hub, in processes of their own."""

from pathlib import Path

import pytest
from minihub.testing import Hub, serve

from .conftest import Client


def test_what_is_uploaded_comes_back(client: Client, hub: Hub) -> None:
    client("""
        api.create_repo("alice/data", repo_type="dataset")
        big = os.urandom(12_000_000)
        Path("up").mkdir()
        Path("up/a.bin").write_bytes(big)
        Path("up/sub").mkdir()
        Path("up/sub/b.txt").write_text("words")
        api.upload_folder(repo_id="alice/data", repo_type="dataset", folder_path="up")
        down = Path(api.snapshot_download("alice/data", repo_type="dataset"))
        assert (down / "a.bin").read_bytes() == big
        assert (down / "sub/b.txt").read_text() == "words"
    """)
    assert hub.requests.count("POST", "/api/datasets/alice/data/commit/main") == 1
    assert hub.requests.count("PUT") == 1


def test_an_upload_that_changes_nothing_makes_no_commit(client: Client) -> None:
    heads = client("""
        api.create_repo("alice/m")
        for _ in range(2):
            for name, content in (("a.txt", b"same"), ("a.bin", b"same")):
                print(api.upload_file(repo_id="alice/m", path_in_repo=name, path_or_fileobj=content).oid)
        print(len(api.list_repo_commits("alice/m")))
    """).split()
    assert heads[1] == heads[2] == heads[3] != heads[0]
    assert heads[4] == "3"


def test_an_old_revision_keeps_its_content_and_its_etag(client: Client) -> None:
    client("""
        api.create_repo("alice/m")
        old = api.upload_file(repo_id="alice/m", path_in_repo="a.bin", path_or_fileobj=b"old").oid
        new = api.upload_file(repo_id="alice/m", path_in_repo="a.bin", path_or_fileobj=b"newer").oid
        for commit, content in ((old, b"old"), (new, b"newer")):
            facts = get_hf_file_metadata(hf_hub_url("alice/m", "a.bin", revision=commit))
            import hashlib
            assert facts.etag == hashlib.sha256(content).hexdigest()
            assert facts.size == len(content) and facts.commit_hash == commit
            assert Path(hf_hub_download("alice/m", "a.bin", revision=commit)).read_bytes() == content
    """)


def test_a_stale_parent_is_refused(client: Client) -> None:
    client("""
        api.create_repo("alice/m")
        head = api.repo_info("alice/m").sha
        api.upload_file(repo_id="alice/m", path_in_repo="a.txt", path_or_fileobj=b"1")
        try:
            api.upload_file(repo_id="alice/m", path_in_repo="b.txt", path_or_fileobj=b"2", parent_commit=head)
        except HfHubHTTPError as error:
            assert error.response.status_code == 412, error
        else:
            raise AssertionError("a stale parent was taken")
        assert not api.file_exists("alice/m", "b.txt")
    """)


def test_a_large_file_is_copied_without_sending_it_again(client: Client, hub: Hub) -> None:
    client("""
        api.create_repo("alice/m")
        api.upload_file(repo_id="alice/m", path_in_repo="a.bin", path_or_fileobj=b"content")
        api.create_commit("alice/m", [CommitOperationCopy("a.bin", "sub/b.bin")], commit_message="copy")
        assert Path(hf_hub_download("alice/m", "sub/b.bin")).read_bytes() == b"content"
    """)
    assert hub.requests.count("PUT") == 1


def test_files_and_folders_are_deleted(client: Client) -> None:
    client("""
        api.create_repo("alice/m")
        for path in ("a.txt", "sub/b.txt", "sub/deep/c.bin", "d.txt"):
            api.upload_file(repo_id="alice/m", path_in_repo=path, path_or_fileobj=path.encode())
        api.delete_folder("sub", repo_id="alice/m")
        api.delete_file("a.txt", repo_id="alice/m")
        assert api.list_repo_files("alice/m") == [".gitattributes", "d.txt"]
    """)


def test_the_tree_comes_in_pages_with_the_last_commit_of_each_path(client: Client, hub: Hub) -> None:
    client("""
        api.create_repo("alice/m")
        ops = [CommitOperationAdd(f"d{i % 7}/f{i:04}.txt", str(i).encode()) for i in range(2300)]
        first = api.create_commit("alice/m", ops, commit_message="many").oid
        second = api.upload_file(repo_id="alice/m", path_in_repo="d3/f0003.txt", path_or_fileobj=b"new").oid
        entries = list(api.list_repo_tree("alice/m", recursive=True))
        files = [e.path for e in entries if type(e).__name__ == "RepoFile"]
        assert len(files) == len(set(files)) == 2301, len(files)
        assert len(entries) == 2308
        changed = {e.path: e.last_commit.oid for e in api.list_repo_tree("alice/m", "d3", expand=True)}
        assert len(changed) == 329 and changed["d3/f0003.txt"] == second
        assert {oid for path, oid in changed.items() if path != "d3/f0003.txt"} == {first}
        folders = {e.path: e.last_commit.oid for e in api.list_repo_tree("alice/m", expand=True)}
        assert folders["d3"] == second and folders["d2"] == first
    """)
    assert hub.requests.count("GET", "/api/models/alice/m/tree/main") >= 3


def test_facts_about_paths_leave_out_what_is_missing(client: Client) -> None:
    client("""
        api.create_repo("alice/m")
        api.upload_file(repo_id="alice/m", path_in_repo="sub/a.bin", path_or_fileobj=b"content")
        found = api.get_paths_info("alice/m", ["sub/a.bin", "sub", "nowhere"], expand=True)
        assert [f.path for f in found] == ["sub/a.bin", "sub"]
        assert found[0].size == 7 and found[0].lfs.size == 7 and found[0].last_commit
    """)


def test_branches_tags_and_pull_requests_are_revisions(client: Client) -> None:
    client("""
        api.create_repo("alice/m")
        api.create_branch("alice/m", branch="feature/x")
        api.upload_file(repo_id="alice/m", path_in_repo="a.txt", path_or_fileobj=b"1", revision="feature/x")
        api.create_tag("alice/m", tag="v1", revision="feature/x", tag_message="first")
        assert Path(hf_hub_download("alice/m", "a.txt", revision="v1")).read_bytes() == b"1"
        refs = api.list_repo_refs("alice/m")
        assert [b.name for b in refs.branches] == ["feature/x", "main"]
        assert [t.name for t in refs.tags] == ["v1"]
        assert refs.tags[0].target_commit == refs.branches[0].target_commit
        api.delete_branch("alice/m", branch="feature/x")
        api.delete_tag("alice/m", tag="v1")
        try:
            api.list_repo_files("alice/m", revision="v1")
        except RevisionNotFoundError:
            pass
        else:
            raise AssertionError("a deleted tag is still there")
    """)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ('api.repo_info("alice/none")', "RepositoryNotFoundError"),
        ('api.repo_info("alice/m", revision="none")', "RevisionNotFoundError"),
        ('hf_hub_download("alice/m", "none.txt")', "EntryNotFoundError"),
        ('hf_hub_download("alice/m", "a.txt", revision="none")', "RevisionNotFoundError"),
        ('hf_hub_download("bob/secret", "a.txt")', "RepositoryNotFoundError"),
        ('hf_hub_download("bob/gated", ".gitattributes")', "GatedRepoError"),
        ('api.upload_file(repo_id="bob/public", path_in_repo="a", path_or_fileobj=b"")', "HfHubHTTPError"),
    ],
)
def test_clients_raise_the_exception_that_fits(client: Client, hub: Hub, call: str, error: str) -> None:
    bob = hub.user("bob")
    client(
        """
        api.create_repo("bob/secret", private=True)
        api.upload_file(repo_id="bob/secret", path_in_repo="a.txt", path_or_fileobj=b"1")
        api.create_repo("bob/public")
        api.create_repo("bob/gated")
        api.update_repo_settings("bob/gated", gated="auto")
        """,
        HF_TOKEN=bob,
    )
    client(f"""
        api.create_repo("alice/m")
        try:
            {call}
        except {error} as error:
            print(error)
        else:
            raise AssertionError("no error")
    """)


def test_a_read_token_does_not_write(client: Client, hub: Hub) -> None:
    client('api.create_repo("alice/m")')
    client(
        """
        try:
            api.upload_file(repo_id="alice/m", path_in_repo="a.txt", path_or_fileobj=b"1")
        except HfHubHTTPError as error:
            assert error.response.status_code == 403, error
        else:
            raise AssertionError("a read token wrote")
        """,
        HF_TOKEN=hub.token("alice", role="read"),
    )


def test_everything_is_there_after_a_restart(client: Client, hub: Hub, tmp_path: Path) -> None:
    client("""
        api.create_repo("alice/m", private=True)
        api.upload_file(repo_id="alice/m", path_in_repo="a.bin", path_or_fileobj=b"content")
    """)
    hub.stop()
    with serve(hub.folder) as again:
        client(
            'assert Path(hf_hub_download("alice/m", "a.bin")).read_bytes() == b"content"',
            HF_ENDPOINT=again.endpoint,
        )
    hub.__init__(hub.folder)  # type: ignore[misc] - so that the fixture has something to stop
    hub.start()


def test_a_moved_repository_answers_to_both_names(client: Client) -> None:
    client("""
        api.create_repo("alice/old")
        api.upload_file(repo_id="alice/old", path_in_repo="a.txt", path_or_fileobj=b"1")
        api.move_repo("alice/old", "alice/new")
        assert Path(hf_hub_download("alice/new", "a.txt")).read_bytes() == b"1"
        assert Path(hf_hub_download("alice/old", "a.txt", force_download=True)).read_bytes() == b"1"
        api.delete_repo("alice/new")
        assert not api.repo_exists("alice/new") and not api.repo_exists("alice/old")
    """)


def test_who_makes_a_repository_at_the_same_moment_is_told_where_it_is(client: Client) -> None:
    """The client reads the url of the 409, too."""
    client("""
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(8) as pool:
            for number in range(10):
                name = f"alice/m{number}"
                urls = list(pool.map(lambda _: api.create_repo(name, exist_ok=True), range(8)))
                assert {url.repo_id for url in urls} == {name}
    """)
