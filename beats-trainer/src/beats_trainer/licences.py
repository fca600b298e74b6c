"""What a licence demands, as far as its name says it: enough to see that one is not lowered."""

from __future__ import annotations

from beats_trainer.errors import BeatsError

DEMANDS = {"by": "attribution", "nc": "no commercial use", "sa": "the same licence", "nd": "no changes"}


class LicenceError(BeatsError, ValueError):
    """A licence that the base of a checkpoint does not allow."""


def demands(licence: str) -> set[str]:
    """The Creative Commons conditions in a licence's name."""
    return set(licence.lower().replace("_", "-").split("-")) & DEMANDS.keys()


def check_licence(licence: str, base: str, base_name: str) -> None:
    """Refuses a licence that grants more than that of the base.

    Raises:
        LicenceError: With what the base demands.
    """
    wanted = demands(base)
    missing = wanted - demands(licence)
    same = "sa" in wanted and licence.lower() != base.lower()
    if missing or same:
        words = ", ".join(DEMANDS[name] for name in sorted(missing)) or DEMANDS["sa"]
        message = (
            f"{base_name} has the licence {base}, and {licence} would lower it: expected {words}. "
            f"Publish under {base}."
        )
        raise LicenceError(message)
