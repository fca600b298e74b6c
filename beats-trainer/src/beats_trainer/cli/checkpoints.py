"""`beats list | info | fetch | verify`: which checkpoints exist, and are they here and whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from beats_trainer.cli.output import plainly, put, put_table, say, size_of
from beats_trainer.hub.cache import cached_copies
from beats_trainer.hub.fetch import (
    fetch_checkpoint,
    find_checkpoint,
    known_checkpoints,
    local_copy,
    required_signer,
)
from beats_trainer.hub.signature import PublicKey, read_key
from beats_trainer.pins.digest import file_digest
from beats_trainer.pins.folders import shelved_files
from beats_trainer.pins.pin import Pin
from beats_trainer.redaction import veiled

SHOWN_ELSEWHERE = ("sha256", "size", "md5", "sources", "golden", "key")
SCORE = "AudioSet-2M mAP"
KEY = click.Path(path_type=Path, exists=True, dir_okay=False)


def facts(pin: Pin) -> dict[str, Any]:
    """Everything that is known about a checkpoint, for JSON."""
    return {
        "name": pin.name,
        "filename": pin.filename,
        "description": pin.description,
        "size": pin.size,
        **{name: pin.digests.get(name) for name in ("sha256", "md5")},
        "licence": pin.licence,
        "sources": [str(source) for source in pin.sources],
        "unknown": list(pin.unknown),
        "pin": pin.origin,
        "cached": is_cached(pin),
        "golden": list(pin.golden) or None,
        "signed by": PublicKey(pin.key, pin.origin).fingerprint if pin.key else None,
        **{key: value for key, value in pin.meta.items() if key not in SHOWN_ELSEWHERE},
        **({"endpoint": veiled(str(pin.meta["endpoint"]))} if "endpoint" in pin.meta else {}),
    }


def is_cached(pin: Pin) -> bool:
    """Whether a file of this name and size lies in the cache or on a shelf; its digest is checked at use."""
    copies = [path for place in pin.sources for path in cached_copies(place, None)] + shelved_files(pin)
    return any(pin.size in (None, path.stat().st_size) for path in copies)


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--offline", is_flag=True, help="Ask no Hub; listings that are not cached are left out.")
@plainly
def list_(*, as_json: bool, offline: bool) -> None:
    """List the known checkpoints."""
    pins = known_checkpoints(local_files_only=offline)
    if as_json:
        put([facts(pin) for pin in pins])
        return
    cited = list(dict.fromkeys(_source(pin) for pin in pins if _source(pin)))
    head = ("name", "size", "licence", "trained on", SCORE, "cached", "open")
    put_table(head, [_row(pin, cited) for pin in pins])
    for number, source in enumerate(cited, 1):
        click.echo(f"[{number}] {source}")
    say("The scores are the publishers'. open: not confirmed yet; `beats info NAME` says more.")


def _source(pin: Pin) -> str:
    """Who published the score that the list shows."""
    scores = pin.meta.get("scores", {})
    return str(scores.get("source", "source not stated")) if SCORE in scores else ""


def _row(pin: Pin, cited: list[str]) -> tuple[str, ...]:
    source = _source(pin)
    score = f"{pin.meta['scores'][SCORE]} [{cited.index(source) + 1}]" if source else ""
    return (
        pin.name,
        size_of(pin.size),
        pin.licence or "not stated",
        str(pin.meta.get("trained_on", "")),
        score,
        "yes" if is_cached(pin) else "no",
        ", ".join(pin.unknown),
    )


@click.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@plainly
def info(name: str, *, as_json: bool) -> None:
    """Say everything that is known about a checkpoint."""
    known = facts(find_checkpoint(name))
    if as_json:
        put(known)
        return
    for key, value in known.items():
        click.echo(f"{key}: {_shown(value)}")


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key} {entry}" for key, entry in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "unknown" if value in (None, "") else str(value)


@click.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--trust",
    type=click.Choice(["pinned", "hub"]),
    default="hub",
    show_default=True,
    help="Whether the Hub's word is taken for files that no pin names.",
)
@click.option("--allow-noncommercial", is_flag=True, help="Accept a licence that forbids commercial use.")
@click.option("--key", type=KEY, help="A public key, PEM, whose owner must have signed the repository.")
@plainly
def fetch(
    names: tuple[str, ...], *, as_json: bool, trust: Any, allow_noncommercial: bool, key: Path | None
) -> None:
    """Bring checkpoints here, verified, and print their paths."""
    found = []
    for name in names:
        path = fetch_checkpoint(name, trust=trust, allow_noncommercial=allow_noncommercial, key=key)
        found.append({"name": name, "path": str(path)})
        if not as_json:
            click.echo(path)
    if as_json:
        put(found)


@click.command()
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--key",
    type=KEY,
    help="A public key, PEM: fetch the repositories that are named, and compare with their signatures.",
)
@plainly
def verify(names: tuple[str, ...], *, key: Path | None, as_json: bool) -> None:
    """Compute the digests of the checkpoints that are here; all of them unless named.

    A damaged file is removed from the cache; the exit status is then 1.
    """
    pins = [find_checkpoint(name) for name in names] or [
        pin for pin in known_checkpoints(local_files_only=True) if is_cached(pin)
    ]
    asked = read_key(key) if key else None
    for pin in pins:
        if owner := asked or required_signer(pin):
            fetch_checkpoint(pin, key=key, allow_noncommercial=True)
            say(f"{pin.name}: signed by the owner of the key {owner.fingerprint} ({owner.origin}).")
    rows = [_verified(pin) for pin in pins]
    if as_json:
        put(rows)
    else:
        put_table(("name", "verified", "sha256", "path"), [tuple(map(str, row.values())) for row in rows])
    if not all(row["verified"] for row in rows):
        raise SystemExit(1)


def _verified(pin: Pin) -> dict[str, Any]:
    path = local_copy(pin)
    digest = file_digest(path, "sha256") if path else ""
    return {"name": pin.name, "verified": path is not None, "sha256": digest, "path": str(path or "")}
