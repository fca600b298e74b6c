"""Pages for people: templates, the card made safe, and the headers that keep a page harmless."""

import base64
import hashlib
import shlex
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import nh3
from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from starlette.responses import HTMLResponse

from minihub.web import cards

MAX_FACTS = 30
STYLE = (Path(__file__).parent / "templates" / "style.css").read_text(encoding="utf-8").strip()
POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'",
        "img-src 'self'",
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

_LINKS = {("a", "href"), ("img", "src")}


def render_page(template: str, **facts: Any) -> HTMLResponse:
    """A template with its facts, as an answer that runs no script."""
    text = _environment().get_template(template).render(style=STYLE, **facts)
    return HTMLResponse(text.encode("utf-8", "replace"), headers=HEADERS)


def render_card(text: str, file_at: str, image_at: str) -> str:
    """A card's text as safe HTML.

    Args:
        text: Markdown, perhaps with HTML in it, below YAML.
        file_at: the address of the card's folder, for links that lead to a file beside it.
        image_at: the same for images.
    """

    def rewritten(tag: str, attribute: str, value: str) -> str | None:
        if (tag, attribute) not in _LINKS:
            return value
        return _absolute(value, image_at if tag == "img" else file_at)

    html = (
        MarkdownIt("commonmark", {"html": True})
        .enable(["table", "strikethrough"])
        .render(cards.card_body(text))
    )
    return nh3.clean(html, attribute_filter=rewritten, link_rel="noopener noreferrer nofollow")


def card_facts(text: str) -> list[tuple[str, list[str]]]:
    """The short facts at the top of a card: a name and its values."""
    facts = []
    for key, value in cards.front_matter(text).items():
        values = value if isinstance(value, list) else [value]
        plain = [str(item) for item in values if isinstance(item, str | bool)]
        if plain and len(plain) == len(values):
            facts.append((str(key), plain[:MAX_FACTS]))
    return facts[:MAX_FACTS]


def readable_size(size: int) -> str:
    """A count of bytes as people read it: `1.5 MB`."""
    value, units = float(size), ["B", "kB", "MB", "GB", "TB"]
    while value >= 999.5 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.0f} {units[0]}" if value >= 99.5 or units[0] == "B" else f"{value:.1f} {units[0]}"


def quote_address(text: str, *, safe: str = "/") -> str:
    """A path as it stands in an address."""
    return quote(text, safe=safe, errors="replace")


def _absolute(link: str, folder: str) -> str | None:
    try:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc or link.startswith(("/", "#", "\\")):
            return link
        joined = urljoin(folder, link)
    except ValueError:
        return None
    return joined if joined.startswith(folder) else None


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("minihub.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., str]] = {
        "size": readable_size,
        "path": quote_address,
        "part": lambda text: quote_address(text, safe=""),
        "shell": shlex.quote,
    }
    environment.filters.update(filters)
    return environment
