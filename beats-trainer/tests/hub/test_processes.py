"""What only real processes show: killed ones, many at once, and the environment read at their start."""

from __future__ import annotations

import inspect
import json
import os
import random
import re
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from published import Published, beats, import_pin, publish

FETCH = "import sys; from beats_trainer import fetch_checkpoint; print(fetch_checkpoint(sys.argv[1]))"
FETCH_AND_DIE = """
import os, signal, sys
from beats_trainer import fetch_checkpoint

def watch(done, total):
    if done >= int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

fetch_checkpoint(sys.argv[1], progress=watch)
"""
KILLS = 100 if os.environ.get("BEATS_TEST_FULL") else 8
posix = pytest.mark.skipif(os.name != "posix", reason="kill -9 is a signal of POSIX")


def run(published: Published, code: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=published.env(**env),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@posix
def test_after_kill_9_the_next_call_goes_on_and_never_loads_a_partial_file(hub, tmp_path: Path):
    published = publish(hub, tmp_path, size=8_000_000)
    killed = run(published, FETCH_AND_DIE, "small", "5000000")
    assert killed.returncode == -signal.SIGKILL
    assert not list(published.cache.rglob("small.pt"))
    hub.requests.clear()
    done = run(published, FETCH, "small")
    assert Path(done.stdout.strip()).read_bytes() == published.data
    sent = [record.sent for record in hub.requests if record.method == "GET" and "/resolve/" in record.path]
    assert len(sent) == 1
    assert sent[0] <= 3_100_000
    assert published.leftovers() == []


@posix
def test_killed_at_random_again_and_again_it_ends_with_the_right_bytes(hub, tmp_path: Path):
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    published = publish(hub, tmp_path, size=4_000_000)
    for _ in range(KILLS):
        run(published, FETCH_AND_DIE, "small", str(chance.randrange(1, 4_000_000)))
        whole = list(published.cache.rglob("small.pt"))
        assert all(path.read_bytes() == published.data for path in whole), f"seed {seed}"
        if whole:
            whole[0].resolve().unlink()
            whole[0].unlink()
    done = run(published, FETCH, "small")
    assert Path(done.stdout.strip()).read_bytes() == published.data, f"seed {seed}"
    assert published.leftovers() == []


def test_sixteen_processes_at_once_fetch_once(hub, tmp_path: Path):
    published = publish(hub, tmp_path, size=3_000_000)
    running = [
        subprocess.Popen(
            [sys.executable, "-c", FETCH, "small"],
            env=published.env(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(16)
    ]
    outputs = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0] * 16, outputs
    assert len({out for out, _ in outputs}) == 1
    assert hub.requests.count("GET", "*/resolve/*") == 1


def test_offline_and_not_cached_names_the_file_and_the_variable(published: Published):
    result = beats(published, "fetch", "small", HF_HUB_OFFLINE="1")
    assert result.returncode == 1
    assert result.stdout == ""
    assert "small is not in the cache" in result.stderr
    assert "HF_HUB_OFFLINE is set" in result.stderr
    assert "beats bundle create" in result.stderr
    assert len(list(published.hub.requests)) == 0


def test_offline_and_cached_works(published: Published):
    online = beats(published, "fetch", "small")
    offline = beats(published, "fetch", "small", HF_HUB_OFFLINE="1")
    assert offline.returncode == 0, offline.stderr
    assert offline.stdout == online.stdout


def test_without_a_network_the_message_names_the_endpoint(published: Published):
    import_pin(published.pin, "hf://datasets/alice/beats/small.pt", published.data, published.commit)
    result = beats(published, "fetch", "small", HF_ENDPOINT="http://127.0.0.1:9")
    assert result.returncode == 1
    assert "no connection to hf://datasets/alice/beats" in result.stderr
    assert "http://127.0.0.1:9" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_private_file_needs_a_token_and_each_case_has_its_message(published: Published):
    from huggingface_hub import HfApi

    api = HfApi(endpoint=published.hub.endpoint, token=published.token)
    named = "visibility" in inspect.signature(api.update_repo_settings).parameters
    private: dict[str, Any] = {"visibility": "private"} if named else {"private": True}
    api.update_repo_settings(published.repo_id, repo_type="dataset", **private)
    nobody = beats(published, "fetch", "small")
    assert "it is private: set HF_TOKEN" in nobody.stderr
    stranger = beats(published, "fetch", "small", HF_TOKEN=published.hub.user("bob"))
    assert "the token that is set may not read it" in stranger.stderr
    wrong = beats(published, "fetch", "small", HF_TOKEN="hf_wrong")
    assert "does not accept the token" in wrong.stderr
    owner = beats(published, "fetch", "small", HF_TOKEN=published.token)
    assert owner.returncode == 0, owner.stderr
    assert published.token not in nobody.stderr + stranger.stderr + wrong.stderr + owner.stderr


BAR = """
import sys
from beats_trainer.bar import Bar
sys.stderr.isatty = lambda: True
bar = Bar("small.pt")
bar(50, 100)
bar.close()
"""


def test_the_bar_is_shown_at_a_terminal_and_hidden_where_hugging_faces_are(published: Published):
    assert "small.pt:  50%" in run(published, BAR).stderr
    assert run(published, BAR, HF_HUB_DISABLE_PROGRESS_BARS="1").stderr == ""
    assert run(published, BAR.replace("True", "False", 1)).stderr == ""


SHOWN = """
import sys, types, beats_trainer
sys.stderr.isatty = lambda: {terminal}
if {notebook}:  # what a Jupyter kernel has
    shell = types.SimpleNamespace(config={{"IPKernelApp": {{}}}})
    sys.modules["IPython"] = types.SimpleNamespace(get_ipython=lambda: shell)
heard = []
beats_trainer.fetch_checkpoint("small", progress={progress})
assert heard == [] or heard[-1][0] == heard[-1][1]
"""


@pytest.mark.parametrize(
    ("terminal", "notebook", "progress", "shown"),
    [
        (True, False, None, True),
        (False, True, None, True),
        (False, False, None, False),
        (True, False, "lambda *now: heard.append(now)", False),
    ],
)
def test_the_library_shows_a_first_download_where_somebody_looks(
    published: Published, terminal, notebook, progress, shown
):
    code = SHOWN.format(terminal=terminal, notebook=notebook, progress=progress)
    done = run(published, code)
    assert done.returncode == 0, done.stderr
    assert ("small: 100%" in done.stderr) == shown
    assert shown or done.stderr == ""
    assert "small" not in run(published, code).stderr, "it is here, nothing is fetched"


def test_a_closed_pipe_ends_a_command_quietly(published: Published):
    reads, writes = os.pipe()
    os.close(reads)  # what `| head -1` does once it has its line
    try:
        command = [sys.executable, "-m", "beats_trainer", "list", "--offline"]
        done = subprocess.run(
            command, stdout=writes, stderr=subprocess.PIPE, env=published.env(), check=False, timeout=120
        )
    finally:
        os.close(writes)
    assert done.stderr == b""


def test_nothing_here_needs_torch(published: Published):
    code = (
        "import sys, beats_trainer, beats_trainer.cli.main\n"
        "import beats_trainer.pins.registry, beats_trainer.hub.fetch, beats_trainer.publish.card\n"
        "import beats_trainer.audio.read, beats_trainer.audio.clips, beats_trainer.table.table\n"
        "beats_trainer.fetch_checkpoint('small')\n"
        "assert 'torch' not in sys.modules"
    )
    result = run(published, code)
    assert result.returncode == 0, result.stderr


def test_verify_finds_a_damaged_file_and_says_so_in_its_exit_status(published: Published):
    path = Path(beats(published, "fetch", "small").stdout.strip())
    assert beats(published, "verify").returncode == 0
    path.resolve().write_bytes(published.data[:-1] + b"?")
    result = beats(published, "verify", "small")
    assert result.returncode == 1
    assert "damaged and is removed" in result.stderr


def test_doctor_reports_a_damaged_file_and_leaves_it_where_it_is(published: Published):
    path = Path(beats(published, "fetch", "small").stdout.strip())
    assert f"ok    checkpoints: here and verified: {path.stem}" in beats(published, "doctor").stdout
    path.resolve().write_bytes(published.data[:-1] + b"?")
    result = beats(published, "doctor")
    assert result.returncode == 1
    assert f"FAIL  checkpoints: damaged: {path}" in result.stdout
    assert "-> Run `beats verify`" in result.stdout
    assert path.is_file()


def test_list_is_a_table_of_what_is_known_and_what_is_open(published: Published):
    beats(published, "fetch", "small")
    table, notes = beats(published, "list").stdout.split("\n[1] ")
    head, *rows = [re.split(r"\s{2,}", line) for line in table.splitlines()]
    assert head == ["name", "size", "licence", "trained on", "AudioSet-2M mAP", "cached", "open"]
    known = {row[0]: row[1:] for row in rows}
    assert known["BEATs_iter3_plus_AS2M"] == [
        "361.5 MB",
        "MIT",
        "AudioSet-2M, without labels",
        "48.6 [1]",
        "no",
    ]
    assert known["small"] == ["300,000 B", "not stated", "yes"]
    assert known["esp-aves2-sl-beats-bio"][1:] == [
        *("CC-BY-NC-SA-4.0", "animal sounds, with labels", "no", "size, digest, commit"),
    ]
    assert notes.startswith("BEATs paper, tables 1 and 2")
    (row,) = [row for row in json.loads(beats(published, "list", "--json").stdout) if row["name"] == "small"]
    assert (row["size"], row["cached"], row["unknown"]) == (300_000, True, [])


def test_what_was_carried_here_is_listed_as_being_here(published: Published):
    beats(published, "bundle", "create", "small", "-o", "bundle.tar")
    away = {"HF_HOME": str(published.folder / "away"), "HF_HUB_OFFLINE": "1", "BEATS_PINS": ""}
    beats(published, "bundle", "install", "bundle.tar", **away)
    listed = json.loads(beats(published, "list", "--json", **away).stdout)
    assert [row["name"] for row in listed if row["cached"]] == ["small"]
    assert "small" in beats(published, "verify", **away).stdout


def test_info_says_what_is_known_and_what_is_open(published: Published):
    known = beats(published, "info", "beats_iter3_plus_as2m")
    assert "d43cbfad4d7b56381c061d7a24774f908d4d94c72961f6eb1d9090ff18cd8d34" in known.stdout
    assert "unknown: none" in known.stdout
    assert "unknown: place" in beats(published, "info", "BEATs_iter1").stdout
    assert "unknown: size, digest, commit" in beats(published, "info", "OpenBEATS").stdout


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:9", "names a SOCKS proxy"),
        ("HTTPS_PROXY", "ftp://alice:secretword@127.0.0.1:9", "names no proxy that can be used"),
        ("SSL_CERT_FILE", "/nowhere/certificates.pem", "names certificates that cannot be read"),
    ],
)
def test_a_network_that_the_environment_names_wrongly_is_said_in_one_sentence(
    published: Published, variable: str, value: str, said: str
):
    if "SOCKS" in said and find_spec("socksio"):
        pytest.skip("what speaks with SOCKS proxies is installed")
    for command in (("fetch", "small"), ("fetch", "alice/beats"), ("doctor",)):
        result = beats(published, *command, **{variable: value})
        assert result.returncode == 1
        assert f"{variable} {said}" in result.stdout + result.stderr
        assert "Traceback" not in result.stderr
        assert "secretword" not in result.stdout + result.stderr
    assert "gpu:" in result.stdout  # doctor went on to its last line


def test_a_certificate_that_nobody_known_has_signed_is_said_with_the_variable(published: Published):
    with serve_tls(published.folder) as address:
        result = beats(published, "fetch", "alice/beats", HF_ENDPOINT=address)
        doctor = beats(published, "doctor", HF_ENDPOINT=address)
    for text in (result.stderr, doctor.stdout):
        assert "signed by nobody whom this machine knows" in text
        assert "SSL_CERT_FILE" in text


@contextmanager
def serve_tls(folder: Path) -> Iterator[str]:
    """A host whose certificate is its own word."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run([*command, *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
