"""Recordings behind URLs, each kind from a server of the test's own, through `beats embed`."""

from __future__ import annotations

import asyncio
import csv
import functools
import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import soundfile
from beats_trainer.errors import RecordingError
from beats_trainer.recordings.remote import RemoteCache, list_remote, public_name, unspoken
from beats_trainer.recordings.sources import SUFFIXES, find_sources
from beats_trainer.table import read_table
from sounds import TINY, noise

SECRETS = ("tiger", "hf_")


@pytest.fixture
def sounds(tmp_path):
    """Two recordings, one of them below a folder, and what is none."""
    folder = tmp_path / "sounds"
    (folder / "deep").mkdir(parents=True)
    soundfile.write(folder / "a.wav", noise(2.5), 16_000)
    soundfile.write(folder / "deep" / "b.flac", noise(1.5, seed=1), 16_000)
    (folder / "deep" / "notes.md").write_text("no recording")
    return folder


@contextmanager
def at_s3(sounds, home):
    pytest.importorskip("s3fs", reason="needs pip install 'beats-trainer[s3]'")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    boto3 = pytest.importorskip("boto3")
    server.start()
    try:
        host, port = server.get_host_and_port()
        env = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "x"}
        env |= {"AWS_SECRET_ACCESS_KEY": "tiger", "AWS_DEFAULT_REGION": "us-east-1"}
        client = boto3.client(
            "s3", endpoint_url=env["AWS_ENDPOINT_URL"], aws_access_key_id="x",
            aws_secret_access_key="tiger", region_name="us-east-1",
        )  # fmt: skip
        client.create_bucket(Bucket="site")
        for path in filter(os.path.isfile, sounds.rglob("*")):
            client.upload_file(str(path), "site", path.relative_to(sounds).as_posix())
        yield "s3://site", env
    finally:
        server.stop()


@contextmanager
def at_hf(sounds, home):
    from huggingface_hub import HfApi
    from minihub.testing import serve

    with serve(home / "hub") as hub:
        token = hub.user("alice")
        api = HfApi(endpoint=hub.endpoint, token=token)
        api.create_repo("alice/sounds", repo_type="dataset")
        api.upload_folder(folder_path=sounds, repo_id="alice/sounds", repo_type="dataset")
        env = {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": token, "HF_HUB_DISABLE_XET": "1"}
        yield "hf://datasets/alice/sounds", env


@contextmanager
def at_https(sounds, home):
    certificate, key = _certificate(home)
    handler = functools.partial(_Quiet, directory=sounds)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"https://me:tiger@localhost:{server.server_port}", {"SSL_CERT_FILE": str(certificate)}
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def _certificate(home):
    certificate, key = home / "cert.pem", home / "key.pem"
    words = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", *words, *names, "-keyout", key, "-out", certificate]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    return certificate, key


@contextmanager
def at_ssh(sounds, home, asked=None, silent_s=0.0):
    """Who was asked for a password is noted in `asked`; each answer to a read takes as long as is said."""
    pytest.importorskip("paramiko", reason="needs pip install 'beats-trainer[ssh]'")
    asyncssh = pytest.importorskip("asyncssh")

    connections, read = [], []

    class Server(asyncssh.SSHServer):
        def connection_made(self, conn):
            connections.append(conn)

        def password_auth_supported(self):
            return True

        def validate_password(self, username, password):
            if asked is not None:
                asked.append(username)
            return (username, password) == ("me", "tiger")

    class Files(asyncssh.SFTPServer):
        async def read(self, file_obj, offset, size):
            read.append(file_obj)
            await asyncio.sleep(silent_s)
            return super().read(file_obj, offset, size)

    async def listen():
        sftp = functools.partial(Files, chroot=str(sounds.parent))
        return await asyncssh.listen(
            "127.0.0.1", 0, server_factory=Server, server_host_keys=[key], sftp_factory=sftp
        )

    key = asyncssh.generate_private_key("ssh-ed25519")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(listen(), loop).result()
    know(home, server.get_port(), key)
    try:
        yield f"ssh://me:tiger@127.0.0.1:{server.get_port()}/sounds", {}
    finally:
        asyncio.run_coroutine_threadsafe(_closed(server, connections), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        for file in read:
            file.close()  # where it was cut off in the middle of an answer


def know(home, port, key):
    """The host's key, as `ssh` itself notes it."""
    (home / ".ssh").mkdir(exist_ok=True)
    public = key.export_public_key().decode()
    (home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}")


async def _closed(server, connections):
    for connection in connections:
        connection.abort()
        await connection.wait_closed()
    server.close()
    await server.wait_closed()


def embed(out, home, place, env):
    command = [
        sys.executable, "-m", "beats_trainer", "embed", place, "-o", out, "--model", TINY, "--json",
        "--clip-s", "1", "--device", "cpu", "--cache-gb", "0.0001", "--cache-dir", home / "cache",
    ]  # fmt: skip
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "AWS_"))}
    environment = inherited | {"HOME": str(home), "NO_PROXY": "127.0.0.1,localhost"} | env
    return subprocess.run(
        list(map(str, command)), env=environment, capture_output=True, text=True, check=False, timeout=200
    )


@pytest.mark.slow
@pytest.mark.parametrize("served", [at_s3, at_hf, at_https, at_ssh])
def test_a_folder_behind_a_url_becomes_the_rows_of_the_folder_itself(sounds, tmp_path, served, run):
    home = tmp_path / "home"
    home.mkdir()
    with served(sounds, home) as (url, env):
        done = embed(tmp_path / "t", home, url if served is not at_https else f"{url}/a.wav", env)
    assert done.returncode == 0, done.stderr
    table = read_table(tmp_path / "t")
    names = {name.rpartition("/")[2]: name for name in table.recordings}
    assert list(names) == (["a.wav"] if served is at_https else ["a.wav", "b.flac"])
    assert all("://" in name for name in names.values())
    local = run(tmp_path / "local", *(p for p in sounds.rglob("*.[wf]*") if p.name in names))
    assert json.loads(done.stdout)["clips"] == local.progress.clips
    digests = [{line.facts.digest for line in local.lines}, set(_digests(done))]
    assert digests[0] == digests[1]
    written = "".join(path.read_text("latin-1") for path in (tmp_path / "t").rglob("*.*"))
    assert not [secret for secret in SECRETS if secret in written + done.stdout + done.stderr]
    assert sum(path.stat().st_size for path in (home / "cache").iterdir()) <= 100_000


@pytest.mark.slow
def test_nothing_is_sent_to_a_host_whose_key_is_unknown_or_another(sounds, tmp_path):
    home, asked = tmp_path / "home", []
    home.mkdir()
    with at_ssh(sounds, home, asked) as (url, env):
        known_hosts = home / ".ssh" / "known_hosts"
        host, *_ = known_hosts.read_text().partition(" ")
        other = (
            pytest.importorskip("asyncssh").generate_private_key("ssh-ed25519").export_public_key().decode()
        )
        known_hosts.write_text(f"{host} {other}")
        changed = embed(tmp_path / "t", home, url, env)
        known_hosts.unlink()
        unknown = embed(tmp_path / "t", home, url, env)
    assert [changed.returncode, unknown.returncode] == [1, 1]
    assert "ssh-keygen -R '[127.0.0.1]:" in changed.stderr
    assert "ssh-keyscan -p " in unknown.stderr
    assert "SHA256:" in unknown.stderr
    assert "tiger" not in changed.stderr + unknown.stderr
    assert not asked


@pytest.mark.slow
def test_what_is_said_of_a_url_that_cannot_be_read_holds_no_password(sounds, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    with at_https(sounds, home) as (url, env):
        missing = embed(tmp_path / "t", home, f"{url}/missing.wav", env)
        nowhere = embed(tmp_path / "t", home, f"{url}/nowhere/*.wav", env)
    said = [one.stdout + one.stderr for one in (missing, nowhere)]
    assert [missing.returncode, nowhere.returncode] == [1, 1]
    assert "missing.wav" in said[0]
    assert "unreadable" in (tmp_path / "t" / "_beats" / "report.csv").read_text()
    assert "nowhere" in said[1] or "no recording to embed" in said[1]
    written = (tmp_path / "t" / "_beats" / "report.csv").read_text()
    assert "tiger" not in "".join(said) + written


def test_an_error_that_quotes_a_url_is_told_without_its_secrets():
    url = "https://me:tiger@host/a.wav?token=lion"
    assert unspoken(FileNotFoundError(url), url) == "https://host/a.wav"
    assert unspoken(OSError("no route to https://me:tiger@host/"), url) == "no route to https://host/"


def _digests(done):
    with Path(json.loads(done.stdout)["report"]).open(newline="") as file:
        return [row["digest"] for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("ssh://me:tiger@host:22/a.wav", "ssh://host:22/a.wav"),
        ("https://host/a.wav?X-Amz-Signature=tiger&part=2", "https://host/a.wav?part=2"),
        ("https://host/a.wav?token=tiger", "https://host/a.wav"),
        ("s3://bucket/a%20b.wav", "s3://bucket/a%20b.wav"),
        ("hf://datasets/alice/sounds@main/a.wav", "hf://datasets/alice/sounds@main/a.wav"),
    ],
)
def test_a_name_in_the_table_holds_no_password_and_no_signature(url, name):
    assert public_name(url) == name


def test_a_url_with_a_query_is_the_recording_that_its_path_names():
    assert list_remote("http://127.0.0.1:9/a.wav?part=2", SUFFIXES) == ["http://127.0.0.1:9/a.wav?part=2"]
    assert find_sources(["http://me:tiger@127.0.0.1:9/a.wav"])[0].name == "http://127.0.0.1:9/a.wav"


class _Stalling(_Quiet):
    """Sends half of `b.wav`, and then nothing; of `c.wav` less than it said, as a store that was cut off."""

    is_well = False

    def do_GET(self):
        if self.is_well or self.path == "/a.wav":
            super().do_GET()
            return
        content = Path(self.directory, self.path.lstrip("/")).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])
        self.wfile.flush()
        if self.path == "/b.wav":
            self.server.woken.wait(60)
        self.close_connection = True


@pytest.fixture
def stalling(tmp_path, monkeypatch):
    pytest.importorskip("aiohttp", reason="needs pip install 'beats-trainer[http]'")
    monkeypatch.setattr("beats_trainer.recordings.remote.SILENCE_S", 1.0)
    monkeypatch.setattr(_Stalling, "is_well", False)
    for seed, name in enumerate("abc"):
        soundfile.write(tmp_path / f"{name}.wav", noise(2, seed=seed), 16_000)
    handler = functools.partial(_Stalling, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads, server.woken = True, threading.Event()
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.woken.set()
        server.shutdown()


def test_a_drive_that_stalls_costs_its_own_recordings_until_it_is_well_again(stalling, tmp_path, run):
    places = [f"{stalling}/{name}.wav" for name in "abc"]
    outcome = run(tmp_path / "t", *places)
    assert sorted(line.recording[-5:] for line in outcome.failed) == ["b.wav", "c.wav"]
    assert {name[-5:] for name in read_table(tmp_path / "t").recordings} == {"a.wav"}
    _Stalling.is_well = True
    again = run(tmp_path / "t", *places)
    assert again.failed == []
    assert {name[-5:] for name in read_table(tmp_path / "t").recordings} == {"a.wav", "b.wav", "c.wav"}


class _CutOff:
    """A store whose client does not notice that a transfer ended early."""

    def get_file(self, path, target):
        Path(target).write_bytes(b"half of it")


def test_what_came_in_part_is_no_recording(tmp_path):
    target = tmp_path / "a.wav"
    cache = RemoteCache(tmp_path, 1_000)
    with pytest.raises(RecordingError, match=r"s3://site/a\.wav came in part: expected 20 bytes, got 10"):
        cache._fetch(_CutOff(), "site/a.wav", target, "s3://site/a.wav", 20)
    assert list(tmp_path.iterdir()) == []


def test_an_ssh_host_that_falls_silent_is_waited_for_no_longer_than_said(sounds, tmp_path, monkeypatch):
    monkeypatch.setattr("beats_trainer.recordings.remote.SILENCE_S", 1.0)
    monkeypatch.setenv("HOME", str(tmp_path))
    cache = RemoteCache(tmp_path / "cache", 10**9)
    with at_ssh(sounds, tmp_path, silent_s=20) as (url, _):
        started = time.monotonic()
        with pytest.raises(RecordingError, match="no answer for 1 s") as caught, cache.local(f"{url}/a.wav"):
            pass
    assert time.monotonic() - started < 15
    assert "tiger" not in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []
