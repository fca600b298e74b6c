"""Who sees the user's token: the Hub that the user has named, and nobody that a file or a redirect names."""

from __future__ import annotations

import base64
import logging
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from beats_trainer import fetch_checkpoint
from beats_trainer.cli.main import VeiledFormatter
from beats_trainer.errors import AccessError, FetchError
from beats_trainer.hub.credential import own_token, token_for
from beats_trainer.hub.errors import translate_error
from beats_trainer.pins.address import Place
from beats_trainer.pins.localconfig import came_along
from beats_trainer.publish.upload import send_files
from beats_trainer.redaction import conceal, veil_causes, veiled
from huggingface_hub import HfApi, constants
from published import Published, beats, dvc_folder
from spoiler import Spoiler, serve_spoiler, status

TOKEN = "hf_tokenOfSomebodyWhoTrusts"


@pytest.fixture
def watched(published: Published, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spoiler]:
    """A host before the Hub, which pins name, and which sees all that is asked; the user has a token."""
    monkeypatch.setenv("HF_TOKEN", published.token)
    with serve_spoiler(published.hub.endpoint) as spoiler:
        renamed = published.pin.read_text().replace(published.hub.endpoint, spoiler.url)
        published.pin.write_text(renamed)
        yield spoiler


def config_of(pin: Path, spoiler: Spoiler, hub: str, name: str = "config") -> Path:
    """Moves the address from the tracked config beside a pin to the file that is named."""
    shared = pin.parent / ".dvc" / "config"
    text = shared.read_text().replace(hub, spoiler.url)
    shared.write_text(text)
    path = shared.with_name(name)
    path.write_text(text)
    return path


def test_the_address_in_a_pin_sees_no_token(published: Published, watched: Spoiler):
    assert fetch_checkpoint("small", cache_dir=published.cache).read_bytes() == published.data
    assert watched.tokens_here == [None] * 2


@pytest.mark.parametrize("named", ["{url}", " {url}/ , https://hub.example.org", "HTTP://127.0.0.1:{port}/x"])
def test_an_address_that_the_user_names_sees_it(
    published: Published, watched: Spoiler, monkeypatch, named: str
):
    port = watched.url.rpartition(":")[2]
    monkeypatch.setenv("HF_TOKEN_ORIGINS", named.format(url=watched.url, port=port))
    fetch_checkpoint("small", cache_dir=published.cache)
    assert watched.tokens_here == [f"Bearer {published.token}"] * 2


@pytest.mark.parametrize(
    "named",
    ["https://127.0.0.1:{port}", "http://127.0.0.1", "http://localhost:{port}", "http://x@evil:{port}"],
)
def test_another_scheme_port_or_host_is_another_origin(
    published: Published, watched: Spoiler, monkeypatch, named
):
    monkeypatch.setenv("HF_TOKEN_ORIGINS", named.format(port=watched.url.rpartition(":")[2]))
    fetch_checkpoint("small", cache_dir=published.cache)
    assert watched.tokens_here == [None] * 2


def test_the_endpoint_in_force_sees_it(published: Published, watched: Spoiler, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", watched.url + "/")
    fetch_checkpoint("small", cache_dir=published.cache)
    assert watched.tokens_here == [f"Bearer {published.token}"] * 2


@pytest.mark.parametrize("local", [False, True])
def test_the_config_beside_a_pin_shows_it_only_where_it_is_the_users_own(
    published: Published, watched: Spoiler, monkeypatch, local: bool
):
    pin = dvc_folder(published, {"openbeats.pt": b"b" * 2000})
    config_of(pin, watched, published.hub.endpoint, "config.local" if local else "config")
    monkeypatch.setenv("BEATS_PINS", str(pin))
    fetch_checkpoint("openbeats", cache_dir=published.cache)
    assert set(watched.tokens_here) == {f"Bearer {published.token}" if local else None}


def test_a_local_config_that_came_with_the_repository_is_not_the_users_own(
    published: Published, watched: Spoiler, monkeypatch
):
    pin = dvc_folder(published, {"openbeats.pt": b"b" * 2000})
    local = config_of(pin, watched, published.hub.endpoint, "config.local")
    monkeypatch.setenv("BEATS_PINS", str(pin))
    for command in (["init", "-q"], ["add", "-f", str(local)]):
        subprocess.run(["git", *command], cwd=pin.parent, check=True)
    fetch_checkpoint("openbeats", cache_dir=published.cache)
    assert set(watched.tokens_here) == {None}


@pytest.mark.parametrize("name", [".dvc/CONFIG.LOCAL", ".DVC/config.local"])
def test_a_disk_that_knows_no_case_does_not_make_it_the_users_own(tmp_path: Path, name: str):
    """Such a disk gives the file of that name for `.dvc/config.local`."""
    local, section = tmp_path / ".dvc" / "config.local", "'remote \"hub\"'"
    local.parent.mkdir()
    local.write_text(f"[{section}]\nendpointurl = https://hub.example\n", encoding="utf-8-sig")
    assert not came_along(local)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    assert not came_along(local)
    blob = subprocess.run(["git", "hash-object", "-w", local], cwd=tmp_path, check=True, capture_output=True)
    entry = f"100644,{blob.stdout.decode().strip()},{name}"
    subprocess.run(["git", "update-index", "--add", "--cacheinfo", entry], cwd=tmp_path, check=True)
    assert came_along(local)


@pytest.mark.parametrize("answer", [(401, ""), (403, ""), (404, "RepoNotFound"), (403, "GatedRepo")])
def test_the_refusal_says_that_no_token_was_shown_and_how_to_allow_it(
    published: Published, watched: Spoiler, answer: tuple[int, str]
):
    watched.spoil("*", "*", status(*answer), 99)
    watched.method = "HEAD"
    with pytest.raises(AccessError) as told:
        fetch_checkpoint("small", cache_dir=published.cache)
    assert "asked without your token" in str(told.value)
    assert f"HF_TOKEN_ORIGINS={watched.url}." in str(told.value)
    assert published.token not in str(told.value)


def test_a_private_repository_at_a_named_address_is_fetched_once_that_is_allowed(
    published: Published, watched: Spoiler, monkeypatch
):
    api = HfApi(endpoint=published.hub.endpoint, token=published.token)
    api.update_repo_settings("alice/beats", repo_type="dataset", private=True)
    with pytest.raises(AccessError, match="HF_TOKEN_ORIGINS=http"):
        fetch_checkpoint("small", cache_dir=published.cache)
    monkeypatch.setenv("HF_TOKEN_ORIGINS", watched.url)
    assert fetch_checkpoint("small", cache_dir=published.cache).read_bytes() == published.data


def test_what_is_no_origin_is_named(published: Published, watched: Spoiler, monkeypatch):
    monkeypatch.setenv("HF_TOKEN_ORIGINS", "hub.example.org")
    with pytest.raises(AccessError, match=r"HF_TOKEN_ORIGINS names 'hub.example.org'.*expected https://HOST"):
        fetch_checkpoint("small", cache_dir=published.cache)


def test_nothing_is_published_with_the_token_to_an_address_that_the_user_has_not_named(
    published: Published, watched: Spoiler
):
    with pytest.raises(AccessError, match=r"cannot publish to .*HF_TOKEN_ORIGINS=http.*Nothing was sent"):
        send_files([], Place("alice/mine", endpoint=watched.url))
    assert watched.tokens_here == []


@pytest.mark.parametrize("entered", [f"{TOKEN}\n", f"  {TOKEN}\r\n"])
def test_what_surrounds_a_token_is_trimmed(monkeypatch, entered: str):
    monkeypatch.setenv("HF_TOKEN", entered)
    assert token_for(Place("alice/mine")) == TOKEN


@pytest.mark.parametrize("entered", [f"{TOKEN}ä€", f"{TOKEN} x", f"{TOKEN}\nX-Other: 1", f"{TOKEN}\x7f"])
def test_what_is_no_token_is_refused_without_being_shown(monkeypatch, entered: str):
    monkeypatch.setenv("HF_TOKEN", entered)
    with pytest.raises(AccessError, match="holds a character that no token has") as told:
        own_token()
    assert TOKEN not in str(told.value)


@pytest.mark.parametrize("entered", ["hf_ä€ä€ä€ä€ä€", "hf_one two"])
def test_the_doctor_goes_on_where_the_token_is_none(published: Published, entered: str):
    done = beats(published, "doctor", HF_TOKEN=entered)
    assert "FAIL  token: the token that is set" in done.stdout
    assert "ok    endpoint:" in done.stdout
    assert "checkpoints:" in done.stdout.partition("token:")[2]
    assert entered not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_password_in_a_pin_is_not_shown_either(published: Published):
    text = published.pin.read_text().replace("http://", "http://me:secret@")
    published.pin.write_text(text)
    done = beats(published, "info", "small", "--json")
    assert '"endpoint": "http://***@' in done.stdout
    assert "secret" not in done.stdout


@pytest.mark.parametrize("command", [("fetch", "small"), ("fetch", "alice/mine"), ("doctor",)])
def test_a_password_in_the_address_of_the_hub_is_shown_nowhere(
    published: Published, command: tuple[str, ...]
):
    text = published.pin.read_text().replace(published.hub.endpoint, "http://me:p%40ssword@127.0.0.1:9")
    published.pin.write_text(text)
    done = beats(published, "-v", *command, HF_ENDPOINT="http://me:p%40ssword@127.0.0.1:9")
    assert done.returncode == 1
    assert "http://***@127.0.0.1:9" in done.stdout + done.stderr
    assert "p%40ss" not in done.stdout + done.stderr


def test_a_token_is_hidden_in_every_form():
    conceal(TOKEN)
    packed = [base64.b64encode(f"{user}{TOKEN}".encode()).decode() for user in ("", ":", "me:", "you:")]
    for form in (TOKEN, quote(TOKEN), repr(TOKEN), TOKEN.encode().hex(), *packed):
        assert veiled(f"got {form} there").startswith("got ")
        assert form[8:-8] not in veiled(f"got {form} there")


def test_what_a_hub_writes_back_is_hidden_in_the_error_in_its_cause_and_in_the_log(published: Published):
    conceal(TOKEN)
    error = ConnectionError(f"GET https://me:secret@hub/x?X-Amz-Signature=abc {TOKEN}")
    error.__cause__ = OSError(f"refused Bearer {TOKEN}")
    told = translate_error(error, Place("alice/mine"), "mine")
    veil_causes(error)
    record = logging.LogRecord("x", logging.ERROR, "", 0, "of %s", (TOKEN,), (type(error), error, None))
    for text in (str(told), repr(told), str(error), str(error.__cause__), VeiledFormatter().format(record)):
        assert TOKEN not in text
        assert "secret" not in text
        assert "Signature=abc" not in text


def test_words_that_are_too_short_for_a_token_are_left_alone():
    conceal("alice")
    assert veiled("hf://alice/mine@main/a.pt is here? Yes") == "hf://alice/mine@main/a.pt is here? Yes"


def test_a_redirect_of_the_description_sees_no_token(mine: Published, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", mine.token)
    with serve_spoiler(mine.hub.endpoint) as spoiler:
        there = spoiler.elsewhere + "/api/models/alice/mine/revision/main?blobs=true"
        mine.hub.fail("GET", "*/api/models/*", status=302, headers={"Location": there})
        fetch_checkpoint("alice/mine", cache_dir=mine.cache)
        assert spoiler.tokens_elsewhere == [None]


def test_a_redirect_to_what_is_no_address_is_named(mine: Published, impatient: None):
    mine.hub.fail("GET", "*/api/models/*", status=302, headers={"Location": "file:///etc/passwd"}, times=None)
    with pytest.raises(FetchError, match=r"'file:///etc/passwd' leads nowhere"):
        fetch_checkpoint("alice/mine", cache_dir=mine.cache)


@pytest.mark.parametrize("text", ["http://" * 9_000, "url: /" * 10_000, "//" * 30_000, "a" * 65_536])
def test_a_long_word_of_a_hubs_is_looked_through_in_no_time(text: str):
    started = time.process_time()
    veiled(text)
    assert time.process_time() - started < 3  # eight seconds on a quick machine
