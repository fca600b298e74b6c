"""Notes what every Python below asks of a Hub, and the shape of what it is answered: no value, token or name.

Each process whose PYTHONPATH has this folder reads it, and writes a line a request to HUB_CHECK_RECORDING.
"""

import json
import os
import re
from typing import Any
from urllib.parse import urlsplit

RECORDING = os.environ.get("HUB_CHECK_RECORDING", "")
HUB = urlsplit(os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
SECRET = re.compile(r"\b(hf_[A-Za-z0-9]+|eyJ[\w.-]+)")
NAMES = (
    (re.compile(r"files/md5/[0-9a-f]{2}/[0-9a-f]{30}(\.dir)?"), "{object}"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "{sha256}"),
    (re.compile(r"\b[0-9a-f]{40}\b"), "{commit}"),
    (re.compile(r"(?<=resolve/)([^/]+)/.+"), r"\1/{file}"),
    (re.compile(r"(?<=/objects/){sha256}/.*"), "{upload}"),
)


def template(path: str) -> str:
    """A path without what is this run's own."""
    for name in filter(None, os.environ.get("HUB_CHECK_NAMES", "").split(",")):
        path = path.replace(name, "{repo}")
    if owner := os.environ.get("HUB_CHECK_OWNER"):
        path = re.sub(rf"\b{re.escape(owner)}\b", "{owner}", path)
    for pattern, word in NAMES:
        path = pattern.sub(word, path)
    return re.sub(r"preflight-[0-9a-z-]+", "{repo}", path)


def note(response: Any) -> None:
    """Write down one answer."""
    request = response.request
    host = "hub" if request.url.host == HUB.hostname and (request.url.port or None) == HUB.port else "other"
    line = {
        "method": request.method,
        "path": template(request.url.path) if host == "hub" else "",
        "host": host,
        "token": "authorization" in request.headers,
        "status": response.status_code,
        "headers": sorted(set(response.headers)),
        "leads": leads(response),
        **said(response),
    }
    with open(RECORDING, "a", encoding="utf-8") as file:  # noqa: PTH123 - one write, of many processes
        file.write(json.dumps(line) + "\n")


def leads(response: Any) -> str:
    """Whether an answer leads on, and to whom."""
    location = response.headers.get("Location")
    if not location:
        return ""
    host = urlsplit(location).netloc
    return "other" if host and host != HUB.netloc else "hub"


def said(response: Any) -> dict[str, Any]:
    """The keys of an answer in JSON, and the Hub's own words where it refuses."""
    path, kind = response.request.url.path, response.headers.get("Content-Type", "")
    if "json" not in kind or not ("/api/" in path or "/info/lfs" in path) or "/resolve" in path:
        return {"keys": []}
    response.read()
    try:
        body = response.json()
    except ValueError:
        return {"keys": ["no JSON"]}
    first = body[0] if isinstance(body, list) and body else body
    words = first.get("error") if response.status_code >= 400 and isinstance(first, dict) else None
    return {
        "keys": sorted(first) if isinstance(first, dict) else [],
        **({"says": template(SECRET.sub("***", str(words)))[:300]} if words else {}),
    }


if RECORDING:
    from huggingface_hub import set_client_factory
    from huggingface_hub.utils import _http

    make = _http._GLOBAL_CLIENT_FACTORY

    def make_noting() -> Any:
        """A client that notes its answers."""
        client = make()
        hooks = client.event_hooks
        client.event_hooks = {**hooks, "response": [*hooks.get("response", ()), note]}
        return client

    set_client_factory(make_noting)
