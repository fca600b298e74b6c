"""What may stand in each place of a route's path."""

from urllib.parse import unquote

from starlette.convertors import Convertor, register_url_convertor


class Segment(Convertor[str]):
    """One part of a path; a slash inside it arrives as %2F."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        """Without percent signs."""
        return unquote(value, errors="replace")

    def to_string(self, value: str) -> str:
        """As it is."""
        return value


class Revision(Segment):
    """A revision; those that everybody writes with plain slashes are read so too."""

    regex = "refs/(?:pr|convert|heads|tags)/[^/]+|[^/]+"


class Rest(Segment):
    """The rest of a path."""

    regex = ".+"


class Kind(Segment):
    """A type of repository with a git history."""

    regex = "models|datasets|spaces"


class Prefix(Segment):
    """A type of repository as it stands in addresses of files; models have none."""

    regex = "datasets|spaces"


class Verb(Segment):
    """What is asked of a revision."""

    regex = "commits|commit|tree|preupload|paths-info|refs"


class Count(Segment):
    """A number, of so few digits that Python and SQLite take it."""

    regex = "[0-9]{1,18}"


class Owner(Segment):
    """A user or an organisation, and none of the words that begin other addresses."""

    regex = "(?!(?:api|v1|v2|models|datasets|spaces|buckets|oauth|settings)/)[^/]+"


def register_convertors() -> None:
    """Teach Starlette the parts of a path; a route with one cannot be made before."""
    for name, convertor in (
        *(("segment", Segment()), ("revision", Revision()), ("rest", Rest()), ("count", Count())),
        *(("kind", Kind()), ("prefix", Prefix()), ("verb", Verb()), ("owner", Owner())),
    ):
        register_url_convertor(name, convertor)
