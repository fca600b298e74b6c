"""The `minihub` command; the only file that prints."""

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import click
import pygit2

from minihub.errors import HubError
from minihub.limits import Limits
from minihub.names import PLURALS, repo_name
from minihub.state import State
from minihub.upkeep.fsck import check_hub
from minihub.upkeep.garbage import collect_garbage
from minihub.upkeep.mirror import copy_repository
from minihub.web.app import make_app
from minihub.web.server import Server

_DIR = click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("minihub-data"),
    show_default=True,
    envvar="MINIHUB_DIR",
    help="The folder of the Hub.",
)


def _checked_prefix(_context: click.Context, _option: click.Parameter, value: str) -> str:
    """Parts of an address, each after a slash."""
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", value):
        message = f"{value!r} is no part of an address: expected one like /hub, without a slash at its end."
        raise click.BadParameter(message)
    return value


@click.group()
@click.version_option(package_name="minihub")
def main() -> None:
    """A small Hugging Face Hub on this machine."""


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8090,
    show_default=True,
    help="The port to listen on; 0 for any that is free.",
)
@click.option("--limit-requests", type=int, help="Refuse more in five minutes from one user or address.")
@click.option("--limit-commits", type=int, help="Refuse more to one repository in an hour.")
@click.option(
    "--prefix", default="", callback=_checked_prefix, help="The part of a site that a proxy passes on: /hub."
)
def serve(
    folder: Path, host: str, port: int, limit_requests: int | None, limit_commits: int | None, prefix: str
) -> None:
    """Serve the Hub in FOLDER until interrupted."""
    with _opened(folder) as state:
        state.limits = Limits(requests=limit_requests, commits_per_hour=limit_commits)
        server = Server(make_app(state, prefix), host, port)
        server.start()
        click.echo(f"minihub: {server.endpoint}{prefix}")
        server.wait()


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
def fsck(folder: Path) -> None:
    """Verify everything in FOLDER: git objects, references, large files, xorbs."""
    with _opened(folder) as state:
        broken = list(check_hub(state))
    for line in broken:
        click.echo(line)
    click.echo(f"{len(broken)} things are broken" if broken else "nothing is broken", err=True)
    raise SystemExit(1 if broken else 0)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--grace-hours", default=24.0, show_default=True, help="Keep what is younger.")
def gc(folder: Path, grace_hours: float) -> None:
    """Remove what nothing in FOLDER refers to any more."""
    with _opened(folder) as state:
        for name, size in collect_garbage(state, grace_s=grace_hours * 3600):
            click.echo(f"{size}\t{name}")


@main.command("import")
@click.argument("repo_id")
@click.option("--from", "endpoint", required=True, help="Address of the Hub to copy from.")
@click.option("--type", "repo_type", type=click.Choice(["model", "dataset", "space"]), default="model")
@click.option("--revision", "revisions", multiple=True, help="Copy the large files of these revisions only.")
@click.option("--token", envvar="HF_TOKEN", default="", help="For the other Hub.")
@_DIR
def import_repo(
    repo_id: str, endpoint: str, repo_type: str, revisions: tuple[str, ...], token: str, folder: Path
) -> None:
    """Copy the repository REPO_ID (OWNER/NAME) from another Hub, commits and all."""
    namespace, _, name = repo_id.partition("/")
    with _opened(folder) as state:
        wanted = repo_name(PLURALS[repo_type], namespace, name)
        say = partial(click.echo, err=True)
        copy_repository(state, wanted, endpoint, token=token, revisions=list(revisions), say=say)
    click.echo(f"copied {repo_type} {repo_id} from {endpoint}", err=True)


@contextlib.contextmanager
def _opened(folder: Path, *, exclusive: bool = True) -> Iterator[State]:
    """The Hub in a folder; what goes wrong, as on a full disk, ends the command with a sentence.

    Args:
        folder: of the Hub.
        exclusive: no server may use it now; commands that only add rows can work beside one.
    """
    with contextlib.ExitStack() as stack:
        try:
            state = State(folder, exclusive=exclusive)
            stack.callback(state.close)
            yield state
        except HubError as error:
            raise click.ClickException(error.message) from error
        except (RuntimeError, pygit2.GitError, OSError, sqlite3.Error) as error:
            message = f"{folder}: {error}"
            raise click.ClickException(message) from error


@main.group()
def user() -> None:
    """Users of the Hub."""


@user.command("add")
@click.argument("name")
@_DIR
def add_user(name: str, folder: Path) -> None:
    """Make the user NAME."""
    with _opened(folder, exclusive=False) as state:
        state.accounts.add_user(name)
    click.echo(f"made the user {name}; next: minihub token {name}", err=True)


@main.group()
def org() -> None:
    """Organisations of the Hub."""


@org.command("add")
@click.argument("name")
@click.option("--member", "members", multiple=True, help="A user who may write for it; again for more.")
@click.option("--private", is_flag=True, help="Its new repositories are private unless said otherwise.")
@_DIR
def add_org(name: str, members: tuple[str, ...], private: bool, folder: Path) -> None:
    """Make the organisation NAME."""
    with _opened(folder, exclusive=False) as state:
        state.accounts.add_org(name, private_by_default=private)
        for member in members:
            state.accounts.add_member(name, member)


@main.command()
@click.argument("name")
@click.option("--role", type=click.Choice(["read", "write"]), default="write", show_default=True)
@_DIR
def token(name: str, role: str, folder: Path) -> None:
    """Make a token for the user NAME and print it; it is shown only now."""
    with _opened(folder, exclusive=False) as state:
        click.echo(state.accounts.add_token(name, role=role))
