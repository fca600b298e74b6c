"""A report as one HTML file: everything is in it, and nothing that a table says can run or leave the page.

Names of files come from strangers. Jinja escapes what goes into the page, JSON is escaped so that it cannot
end its element, and the policy in the page lets no script run but ours, by its digest, and no network be
asked for anything.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import jinja2

SCRIPTS = {
    "report.html": ("picture.js", "map.js", "player.js", "main.js"),
    "run.html": ("picture.js", "run.js"),
}
STYLE = "report.css"
LEVELS = 9  # of the heat in a cell


def render_page(name: str = "report.html", **facts: Any) -> str:
    """The page of a template; `facts` are what its template asks for, `data` what its script does."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.policies["json.dumps_function"] = json_text
    environment.filters |= {
        "number": grouped_digits,
        "compact": compact_number,
        "heat": heat_level,
        "hours": duration_text,
        "score": score_text,
    }
    script, style = "\n".join(map(_part, SCRIPTS[name])), _part(STYLE)
    template = environment.from_string(_part(name))
    return template.render(script=script, style=style, policy=_policy(script, style), **facts)


def json_text(value: object, **options: Any) -> str:
    """JSON, which has no NaN; in the letters of a sound or a name, a search for one finds none either."""
    return json.dumps(value, allow_nan=False, **options).replace("NaN", "Na\\u004e")


def grouped_digits(value: int) -> str:
    """`12,345`."""
    return f"{value:,}"


def compact_number(value: int) -> str:
    """`1.4k`, where there is no room for more."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:.{0 if value >= 10 * size else 1}f}{unit}"
    return str(value)


def duration_text(seconds: float) -> str:
    """`3.2 h`, or `40 s` and `12 min` if there is less."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 3600:,.1f} h" if seconds >= 7200 else f"{seconds / 60:.0f} min"


def score_text(value: float | None) -> str:
    """`0.912`; nothing where there is none."""
    return "" if value is None else f"{value:.3f}"


def heat_level(clips: int, most: int) -> int:
    """How warm a cell is, 0 to `LEVELS`: any clip is seen, and the root keeps rare hours apart."""
    return 0 if clips <= 0 else max(1, round(LEVELS * (clips / max(most, 1)) ** 0.5))


def script_columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows for the script, with each name of a recording once."""
    names = list(dict.fromkeys(row["recording"] for row in rows))
    numbers = {name: i for i, name in enumerate(names)}
    moments = [row["datetime"] for row in rows]
    return {
        "recordings": names,
        "recording": [numbers[row["recording"]] for row in rows],
        "start": [round(row["start_s"], 3) for row in rows],
        "end": [round(row["end_s"], 3) for row in rows],
        "when": [m.isoformat(" ", "seconds") if m else None for m in moments],
        "hour": [m.hour if m else None for m in moments],
        "site": [row["site"] for row in rows],
        "channel": [row.get("channel") for row in rows],
    }


def _part(name: str) -> str:
    return (files("beats_trainer.report") / "assets" / name).read_text(encoding="utf-8")


def _policy(script: str, style: str) -> str:
    return (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "media-src data:; img-src data:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"
