"""Answers to configurations that cannot work, before DVC tries them."""

from collections.abc import Callable
from typing import Any

from dvc_objects.fs.errors import ConfigError

from dvc_hf.hooks.collection import looking
from dvc_hf.hub.location import hub_url_of
from dvc_hf.masks import mask_secrets

Original = Callable[..., Any]


def fetch(original: Original, repo: Any, *args: Any, **kwargs: Any) -> Any:
    """Fetch, unless the remote is the address of a web page."""
    refuse_web_page(repo, kwargs.get("remote"), is_read=True)
    return original(repo, *args, **kwargs)


def status(original: Original, repo: Any, *args: Any, **kwargs: Any) -> Any:
    """Show the status, unless it is asked of the address of a web page."""
    if kwargs.get("cloud") or kwargs.get("remote"):
        refuse_web_page(repo, kwargs.get("remote"), is_read=True)
        with looking(repo, kwargs.get("remote")):
            return original(repo, *args, **kwargs)
    return original(repo, *args, **kwargs)


def refuse_web_page(repo: Any, name: str | None, *, is_read: bool) -> None:
    """Stop where a remote's url is a repository's page: DVC would get 405 from it, or find nothing there.

    Raises:
        ConfigError: it says the url that works, and the command that sets it.
    """
    name = name or repo.config["core"].get("remote")
    url = str(repo.config["remote"].get((name or "").lower(), {}).get("url", ""))
    place = hub_url_of(url)
    if place is None or (is_read and "/resolve/" in url):
        return
    message = (
        f"remote '{name}' is the web address {mask_secrets(url)}, which DVC cannot write to. The same "
        f"repository as a remote is {place.url}: run 'dvc remote modify {name} url {place.url}', "
        "then this again."
    )
    raise ConfigError(message)
