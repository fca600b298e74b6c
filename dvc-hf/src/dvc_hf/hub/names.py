"""Which names there are on the Hub: decided here, before anything is sent, asked for or believed."""

SCHEME = "hf"
PROTOCOL = f"{SCHEME}://"
LONGEST = 1024  # characters of a whole path
SHOWN = 120  # characters of a foreign text in a message
_LEADING_OUT = frozenset({".", "..", ""})  # as a part of a path
_RESERVED = frozenset({".cache", *_LEADING_OUT})  # .git too, in any case; huggingface_hub writes none of them


def write_refusal(path: str) -> str | None:
    """Why no file can be written under this path of a repository, if none can."""
    if any(part in _RESERVED or part.lower() == ".git" for part in path.split("/")):
        return "the Hub does not take such a name"
    if is_impossible(path):
        return f"the Hub takes no backslash, no control character and at most {LONGEST} characters"
    return None


def is_impossible(path: str) -> bool:
    """Whether no repository has such a path, so that there is no need to ask."""
    return len(path) > LONGEST or leads_out(path)


def leads_out(path: str) -> bool:
    """Whether a path may be read as one of another place: outside its folder, or of git's own."""
    parts = path.split("/")
    return (
        "\\" in path
        or any(ord(letter) < ord(" ") for letter in path)
        or any(part in _LEADING_OUT or part.lower() == ".git" for part in parts)
    )


def quoted(text: object) -> str:
    """A text of somebody else as a message may show it: on one line, without control characters, short."""
    shown = ascii(text if isinstance(text, str) else type(text).__name__)
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."
