"""The pages that people look at."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from minihub.testing import Hub
from minihub.web import pages

from .asking import ask, commit, file

CARD = """---
license: mit
tags: [birds, sound]
---
# The <b>card</b>

[guide](docs/guide.md) ![plot](plots/a.png) [up](../../../evil) [out](https://example.org/)

| a | b |
|---|---|
| 1 | 2 |

<script>alert(1)</script><img src=x onerror=alert(2)><a href="javascript:alert(3)">x</a>
<style>body { display: none }</style><iframe src="/"></iframe><form action="/"></form>
"""


class Tags(HTMLParser):
    """The tags of a page, with what leads elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def links(self) -> list[str]:
        return [
            attributes["href"] or "" for tag, attributes in self.seen if tag == "a" and "href" in attributes
        ]


@pytest.fixture
def token(hub: Hub) -> str:
    token = hub.user("alice")
    ask(hub.endpoint, "POST", "/api/repos/create", {"name": "m"}, token)
    files = [file("README.md", CARD), file("docs/guide.md", "the guide"), file("a b#?.txt", "<i>text</i>")]
    assert commit(hub.endpoint, token, "alice/m", *files, summary="First <b>words</b>").status == 200
    return token


def page(hub: Hub, path: str, token: str = "") -> str:
    answer = ask(hub.endpoint, "GET", path, token=token)
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    return answer.body.decode()


def test_every_link_of_every_page_leads_somewhere(hub: Hub, token: str) -> None:
    waiting, seen = ["/"], set()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        answer = ask(hub.endpoint, "GET", path)
        assert answer.status == 200 or "plots/a.png" in path, path
        if answer.headers["content-type"].startswith("text/html"):
            links = Tags(answer.body.decode()).links()
            found = {link for link in links if link.startswith("/")} - seen - set(waiting)
            waiting += sorted(found)
    assert {"/alice/m", "/alice/m/tree/main/docs", "/alice/m/blob/main/docs/guide.md"} <= seen
    assert {"/alice/m/blob/main/a%20b%23%3F.txt", "/alice/m/commits/main"} <= seen
    assert "/alice/m/resolve/main/README.md" in seen


def test_the_page_shows_each_file_with_its_size_and_last_commit(hub: Hub, token: str) -> None:
    text = page(hub, "/alice/m")
    assert "First &lt;b&gt;words&lt;/b&gt;" in text
    assert "initial commit" in text
    assert re.search(r"a b#\?\.txt.*?11 B", text, re.DOTALL)
    assert f"git clone {hub.endpoint}/alice/m" in text
    assert "export HF_ENDPOINT=" in text
    for fact in ("license", "mit", "birds"):
        assert fact in text


def test_a_card_is_rendered_and_cannot_run_anything(hub: Hub, token: str) -> None:
    tags = Tags(page(hub, "/alice/m"))
    names = [tag for tag, _ in tags.seen]
    assert "article" in names
    assert names.count("style") == 1
    assert not {"script", "iframe", "form", "object", "embed"} & set(names)
    assert not [name for _, attributes in tags.seen for name in attributes if name.startswith("on")]
    assert not [link for link in tags.links() if "javascript" in link or "evil" in link]
    assert "/alice/m/blob/main/docs/guide.md" in tags.links()
    assert "https://example.org/" in tags.links()
    images = [attributes["src"] for tag, attributes in tags.seen if tag == "img"]
    assert "/alice/m/resolve/main/plots/a.png" in images


def test_the_style_is_the_one_that_the_policy_allows(hub: Hub, token: str) -> None:

    answer = ask(hub.endpoint, "GET", "/alice/m")
    style = re.search(r"<style>(.*?)</style>", answer.body.decode(), re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in answer.headers["content-security-policy"]


def test_a_file_is_shown_as_text(hub: Hub, token: str) -> None:
    assert "&lt;i&gt;text&lt;/i&gt;" in page(hub, "/alice/m/blob/main/a%20b%23%3F.txt")
    assert ask(hub.endpoint, "GET", "/alice/m/blob/main/none").status == 404
    assert ask(hub.endpoint, "GET", "/alice/m/tree/none").status == 404


def test_a_long_folder_and_a_long_history_have_further_pages(hub: Hub, token: str) -> None:
    commit(hub.endpoint, token, "alice/m", *[file(f"many/{i:03}", "x") for i in range(150)])
    first = page(hub, "/alice/m/tree/main/many")
    after = re.search(r'rel="next" href="([^"]+)"', first)
    assert after
    rest = page(hub, f"/alice/m/tree/main/many{after[1]}")
    assert ">099<" in first
    assert ">100<" not in first
    assert ">100<" in rest
    assert ">149<" in rest
    for i in range(60):
        commit(hub.endpoint, token, "alice/m", file("n", str(i)), summary=f"number {i}")
    assert "number 59" in page(hub, "/alice/m/commits/main?p=0")
    assert "initial commit" in page(hub, "/alice/m/commits/main?p=1")


def test_a_private_repository_has_a_page_for_its_owner_alone(hub: Hub, token: str) -> None:
    ask(hub.endpoint, "POST", "/api/repos/create", {"name": "secret", "visibility": "private"}, token)
    answer = ask(hub.endpoint, "GET", "/alice/secret")
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert ask(hub.endpoint, "GET", "/alice/secret", token=hub.user("mallory")).status == 404
    assert "secret" not in page(hub, "/")
    assert "alice/secret" in page(hub, "/", token)
    assert "private" in page(hub, "/alice/secret", token)


def test_a_branch_name_cannot_smuggle_a_command_into_what_is_copied(hub: Hub, token: str) -> None:
    assert ask(hub.endpoint, "POST", "/api/models/alice/m/branch/a$(id)", {}, token).status == 200
    assert "--revision &#39;a$(id)&#39;" in page(hub, "/alice/m/tree/a$(id)")


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (361_000_000, "361 MB"), (10**13, "10.0 TB")],
)
def test_sizes_are_readable(size: int, shown: str) -> None:
    assert pages.readable_size(size) == shown
