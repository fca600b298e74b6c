"""The `minihub` command; the only file that prints."""

from pathlib import Path

import click

from minihub.app import make_app
from minihub.errors import HubError
from minihub.server import Server
from minihub.state import State

_DIR = click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("minihub-data"),
    show_default=True,
    envvar="MINIHUB_DIR",
    help="The folder of the Hub.",
)


@click.group()
@click.version_option(package_name="minihub")
def main() -> None:
    """A small Hugging Face Hub on this machine."""


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", default=8090, show_default=True, help="The port to listen on; 0 for any that is free."
)
def serve(folder: Path, host: str, port: int) -> None:
    """Serve the Hub in FOLDER until interrupted."""
    try:
        state = State(folder)
    except RuntimeError as error:
        raise click.ClickException(str(error)) from error
    try:
        server = Server(make_app(state), host, port)
        server.start()
        click.echo(f"minihub: {server.endpoint}")
        server.wait()
    except OSError as error:
        raise click.ClickException(str(error)) from error
    finally:
        state.close()


@main.group()
def user() -> None:
    """Users of the Hub."""


@user.command("add")
@click.argument("name")
@_DIR
def add_user(name: str, folder: Path) -> None:
    """Make the user NAME."""
    state = State(folder, exclusive=False)
    try:
        state.accounts.add_user(name)
    except HubError as error:
        raise click.ClickException(error.message) from error
    finally:
        state.close()
    click.echo(f"made the user {name}; next: minihub token {name}", err=True)


@main.command()
@click.argument("name")
@click.option("--role", type=click.Choice(["read", "write"]), default="write", show_default=True)
@_DIR
def token(name: str, role: str, folder: Path) -> None:
    """Make a token for the user NAME and print it; it is shown only now."""
    state = State(folder, exclusive=False)
    try:
        click.echo(state.accounts.add_token(name, role=role))
    except HubError as error:
        raise click.ClickException(error.message) from error
    finally:
        state.close()
