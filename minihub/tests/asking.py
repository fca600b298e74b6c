"""Plain HTTP, without a client library that would tidy up what is sent."""

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    endpoint: str, method: str, path: str, body: bytes | Any = None, token: str = "", **headers: str
) -> Answer:
    """One request, its path sent as it is."""
    place = urlsplit(endpoint)
    connection = http.client.HTTPConnection(place.hostname or "", place.port or 80, timeout=60)
    connection._validate_path = lambda _url: None  # type: ignore[attr-defined]
    content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    sent = {key.replace("_", "-"): value for key, value in headers.items()}
    if token:
        sent["Authorization"] = f"Bearer {token}"
    try:
        connection.request(method, path, content, sent)
        response = connection.getresponse()
        names = {key.lower(): value for key, value in response.getheaders()}
        return Answer(response.status, names, response.read())
    finally:
        connection.close()


def commit(
    endpoint: str, token: str, repo: str, *operations: dict[str, Any], branch: str = "main", **header: str
) -> Answer:
    """A commit of operations."""
    lines = [{"key": "header", "value": {"summary": "a commit", **header}}, *operations]
    body = "\n".join(json.dumps(line) for line in lines).encode()
    return ask(endpoint, "POST", f"/api/models/{repo}/commit/{branch}", body, token)


def file(path: str, content: str) -> dict[str, Any]:
    """The operation that adds a small file."""
    return {"key": "file", "value": {"path": path, "content": content, "encoding": "utf-8"}}
