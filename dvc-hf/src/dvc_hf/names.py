"""Which names a file of the Hub may have: decided here, before anything is sent."""

LONGEST = 1024  # characters of a whole path
RESERVED = frozenset({".cache", ".", "..", ""})  # .git too, in any case; huggingface_hub writes none of them


def refusal(path: str) -> str | None:
    """Why no file can be written under this path of a repository, if none can."""
    if is_impossible(path):
        return f"the Hub takes no backslash, no control character and at most {LONGEST} characters"
    if any(part in RESERVED or part.lower() == ".git" for part in path.split("/")):
        return "the Hub does not take such a name"
    return None


def is_impossible(path: str) -> bool:
    """Whether no repository has such a path, so that there is no need to ask."""
    return "\\" in path or len(path) > LONGEST or any(ord(letter) < ord(" ") for letter in path)
