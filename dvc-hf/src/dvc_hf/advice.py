"""Answers to configurations that cannot work, before DVC tries them."""

from collections.abc import Callable
from typing import Any

from dvc_objects.fs.errors import ConfigError

from dvc_hf.location import hub_url_of

Original = Callable[..., Any]


def fetch(original: Original, repo: Any, *args: Any, **kwargs: Any) -> Any:
    """Fetch, unless the remote is the address of a web page."""
    refuse_web_page(repo, kwargs.get("remote"), is_read=True)
    return original(repo, *args, **kwargs)


def status(original: Original, repo: Any, *args: Any, **kwargs: Any) -> Any:
    """Show the status, unless it is asked of the address of a web page."""
    if kwargs.get("cloud") or kwargs.get("remote"):
        refuse_web_page(repo, kwargs.get("remote"), is_read=True)
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
        f"remote '{name}' is the web address {url}, which DVC cannot write to. The same repository as a "
        f"remote is {place.url}: run 'dvc remote modify {name} url {place.url}', then this again."
    )
    raise ConfigError(message)


def save_config(original: Original, config: Any, level: str, sections: Any) -> Any:
    """Save a config, unless that would show a token to everyone who can read the git repository.

    Raises:
        ConfigError: it says the command that keeps the token on this machine.
    """
    for name, section in dict(sections.get("remote") or {}).items():
        if level == "repo" and section.get("token") and str(section.get("url", "")).startswith("hf://"):
            message = (
                f"the token of remote '{name}' was not saved: .dvc/config is part of the git repository. "
                f"Keep it on this machine with 'dvc remote modify --local {name} token TOKEN', "
                "or log in with 'hf auth login'."
            )
            raise ConfigError(message)
    return original(config, level, sections)
