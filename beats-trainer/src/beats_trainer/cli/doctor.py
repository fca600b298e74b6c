"""What a healthy installation looks like, line by line, each with its remedy."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click
from huggingface_hub import HfApi, constants

from beats_trainer.cli.output import plainly, put
from beats_trainer.errors import AccessError, BeatsError, FetchError
from beats_trainer.hub.credential import own_token
from beats_trainer.hub.errors import HUB_ERRORS, status_of
from beats_trainer.hub.fetch import damaged_copies, known_checkpoints, local_copy
from beats_trainer.hub.session import certificate_fault, open_session
from beats_trainer.pins.folders import checkpoint_folders
from beats_trainer.pins.registry import Registry
from beats_trainer.redaction import veiled

NEEDED = ("beats-trainer", "huggingface_hub", "torch", "soundfile", "soxr", "pyarrow")
OPTIONAL = ("dvc", "dvc-hf", "model-signing")
ROOM = 1_500_000_000  # bytes: the largest checkpoint of the family, and some


@dataclass(frozen=True)
class Line:
    """One thing that was looked at."""

    what: str
    ok: bool
    found: str
    remedy: str = ""


def examine(*, online: bool = True) -> Iterator[Line]:
    """Looks at everything; never shows a token."""
    checks: list[Callable[[], Line]] = [
        _python,
        *(_package(name) for name in NEEDED + OPTIONAL),
        _cache,
        _shelves,
        _pins,
    ]
    checks += [_endpoint, _token] if online else []
    for check in [*checks, _cached, _gpu]:
        yield _looked_at(check)


def _looked_at(check: Callable[[], Line]) -> Line:
    """What a check finds; one that fails in a way of its own does not stop those after it."""
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        what = getattr(check, "__name__", "check").strip("_")
        found = f"{type(error).__name__}: {veiled(str(error))}"
        return Line(what, False, found, "Run it again; if it stays, report it with these lines.")


def _python() -> Line:
    found = ".".join(map(str, sys.version_info[:3]))
    return Line("python", sys.version_info >= (3, 11), found, "Install Python 3.11 or newer.")


def _package(name: str) -> Callable[[], Line]:
    def check() -> Line:
        try:
            return Line(name, True, version(name))
        except PackageNotFoundError:
            optional = name in OPTIONAL
            return Line(name, optional, "not installed", "" if optional else f"pip install {name}")

    return check


def _cache() -> Line:
    cache = Path(constants.HF_HUB_CACHE)
    existing = next(path for path in (cache, *cache.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    writable = os.access(existing, os.W_OK)
    found = f"{cache}, {free / 1e9:.1f} GB free{'' if writable else ', not writable'}"
    remedy = "Set HF_HUB_CACHE to a folder with room that can be written, or free some."
    return Line("cache", writable and free > ROOM, found, remedy)


def _shelves() -> Line:
    named = [entry for entry in os.environ.get("BEATS_CHECKPOINTS", "").split(os.pathsep) if entry]
    missing = [entry for entry in named if not Path(entry).expanduser().is_dir()]
    found = ", ".join(map(str, checkpoint_folders())) or "none"
    remedy = f"BEATS_CHECKPOINTS names what is no folder: {', '.join(missing)}."
    return Line("shelves", not missing, found, remedy)


def _pins() -> Line:
    try:
        registry = Registry()
        pins = registry.all()
    except BeatsError as error:
        return Line("pins", False, str(error), "Repair BEATS_PINS, or unset it.")
    if registry.broken:
        found = " ".join(map(str, registry.broken.values()))
        return Line("pins", False, found, "Repair these pins, or take them away.")
    open_ = sum(bool(pin.unknown) for pin in pins)
    return Line("pins", True, f"{len(pins)} checkpoints, {open_} of them with a field that is not known")


def _endpoint() -> Line:
    endpoint = veiled(constants.ENDPOINT)
    if constants.HF_HUB_OFFLINE:
        return Line("endpoint", True, f"{endpoint} is not asked: HF_HUB_OFFLINE is set")
    api, wait = HfApi(token=False), constants.HF_HUB_ETAG_TIMEOUT
    try:
        open_session()
        api.repo_info("huggingface/doctor-asks-for-nothing", timeout=wait)
    except FetchError as error:
        return Line("endpoint", False, str(error), "Do what it says: no command reaches a Hub before.")
    except HUB_ERRORS as error:
        status = status_of(error)
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            remedy = f"Say whom you trust: {certificate_fault()}"
            return Line("endpoint", False, f"{endpoint}: {type(error).__name__}", remedy)
        if status is None or status >= 500:
            remedy = "Check the network, a proxy (HTTPS_PROXY) and HF_ENDPOINT."
            return Line("endpoint", False, f"{endpoint}: {type(error).__name__}", remedy)
    return Line("endpoint", True, f"{endpoint} answers")


def _token() -> Line:
    try:
        token = own_token()
    except AccessError as error:
        return Line("token", False, str(error), "Log in again with `hf auth login`, or unset HF_TOKEN.")
    if not token:
        return Line("token", True, "none: public files only; `hf auth login` sets one")
    if constants.HF_HUB_OFFLINE:
        return Line("token", True, "present, not tried: HF_HUB_OFFLINE is set")
    return _tried(token)


def _tried(token: str) -> Line:
    try:
        open_session()
        who = HfApi(token=token).whoami()
    except HUB_ERRORS as error:  # ours of a session that cannot be had among them
        status = status_of(error)
        if status is None or status == 429 or status >= 500:
            return Line("token", True, "present, not tried: the Hub gives no answer about it")
        found = f"present, not accepted (status {status})"
        return Line("token", False, found, "Log in again with `hf auth login`, or unset HF_TOKEN.")
    role = who.get("auth", {}).get("accessToken", {}).get("role", "unknown")
    return Line("token", True, f"present, of {who.get('name', 'unknown')}, role {role}")


def _cached() -> Line:
    try:
        pins = known_checkpoints(local_files_only=True)
        damaged = [str(path) for pin in pins for path in damaged_copies(pin)]
        if damaged:
            remedy = "Run `beats verify`, which removes it, and `beats fetch`, which brings it anew."
            return Line("checkpoints", False, f"damaged: {', '.join(damaged)}", remedy)
        verified = [pin.name for pin in pins if pin.digests and local_copy(pin)]
    except BeatsError as error:
        return Line("checkpoints", False, str(error), "Run `beats verify`.")
    return Line(
        "checkpoints", True, f"here and verified: {', '.join(verified) or 'none yet; run `beats fetch`'}"
    )


def _gpu() -> Line:
    try:
        import torch
    except ImportError as error:
        return Line("gpu", False, str(error), "pip install torch")
    if not torch.cuda.is_available():
        return Line("gpu", True, "none; the CPU is used")
    return Line("gpu", True, torch.cuda.get_device_name(0))


# `beats doctor`: is everything in order, and what to do where it is not.
@click.command()
@click.option("--offline", is_flag=True, help="Ask no Hub.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@plainly
def doctor(*, offline: bool, as_json: bool) -> None:
    """Look at versions, cache, pins, network, token and GPU; each failed line has its remedy."""
    lines = []
    for line in examine(online=not offline):
        lines.append(line)
        if not as_json:
            click.echo(f"{'ok  ' if line.ok else 'FAIL'}  {line.what}: {line.found}")
            if not line.ok:
                click.echo(f"      -> {line.remedy}")
    if as_json:
        put([asdict(line) for line in lines])
    if not all(line.ok for line in lines):
        raise SystemExit(1)
