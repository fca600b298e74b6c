"""Patterns of `.gitattributes` and `.gitignore`, matched in time that no pattern can blow up."""

from dataclasses import dataclass
from functools import lru_cache

MAX_PATTERNS = 1000
MAX_PATTERN_LENGTH = 256  # characters


@dataclass(frozen=True)
class Rule:
    """One line: a pattern, and what it says of a path that matches."""

    pattern: str
    says: bool


def lfs_rules(text: str) -> list[Rule]:
    """The lines of a `.gitattributes` that put files into LFS, or take them out."""
    rules = []
    for line in _lines(text):
        pattern, *attributes = line.split()
        if "filter=lfs" in attributes:
            rules.append(Rule(pattern, says=True))
        elif {"-filter", "!filter"} & set(attributes):
            rules.append(Rule(pattern, says=False))
    return rules


def ignore_rules(text: str) -> list[Rule]:
    """The lines of a `.gitignore`."""
    return [Rule(line.removeprefix("!"), says=not line.startswith("!")) for line in _lines(text)]


def last_verdict(rules: list[Rule], path: str) -> bool:
    """What the last matching rule says of `path`, or of a folder above it; False when none does."""
    for rule in reversed(rules):
        if matches_pattern(rule.pattern, path):
            return rule.says
    return False


def _lines(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines()[:MAX_PATTERNS]]
    return [line for line in lines if line and not line.startswith("#") and len(line) <= MAX_PATTERN_LENGTH]


def matches_pattern(pattern: str, path: str) -> bool:
    """Whether a pattern matches `path` or a folder above it, as git reads patterns."""
    folder_only = pattern.endswith("/")
    anchored = "/" in pattern.rstrip("/")
    wanted = tuple(pattern.strip("/").split("/"))
    parts = tuple(path.split("/"))
    if not anchored:
        candidates = parts[:-1] if folder_only else parts
        return any(_segment_matches(wanted[0], part) for part in candidates)
    ends = range(1, len(parts) + (0 if folder_only else 1))
    return any(_segments_match(wanted, parts[:end]) for end in ends)


def _segments_match(wanted: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    """Segments against segments, `**` standing for any number: a table, so never exponential."""
    reachable = {0}
    for segment in wanted:
        if segment == "**":
            reachable = set(range(min(reachable), len(parts) + 1))
        else:
            reachable = {i + 1 for i in reachable if i < len(parts) and _segment_matches(segment, parts[i])}
        if not reachable:
            return False
    return len(parts) in reachable


@lru_cache(maxsize=4096)
def _segment_matches(pattern: str, text: str) -> bool:
    """One segment with `*`, `?` and `[...]`: a set of positions carried along the text."""
    tokens = _tokens(pattern)
    states = _skip_stars(tokens, {0})
    for char in text:
        step = {s for s in states if s < len(tokens) and tokens[s] is None}
        step |= {s + 1 for s in states if s < len(tokens) and _fits(tokens[s], char)}
        states = _skip_stars(tokens, step)
        if not states:
            return False
    return len(tokens) in states


Token = tuple[bool, frozenset[str]] | None  # None is `*`; else (negated, characters)


def _fits(token: Token, char: str) -> bool:
    return token is not None and (char in token[1]) != token[0]


def _skip_stars(tokens: list[Token], states: set[int]) -> set[int]:
    reached = set(states)
    for state in states:
        while state < len(tokens) and tokens[state] is None:
            state += 1
            reached.add(state)
    return reached


def _tokens(pattern: str) -> list[Token]:
    tokens: list[Token] = []
    i = 0
    while i < len(pattern):
        char, i = pattern[i], i + 1
        if char == "*":
            tokens.append(None)
        elif char == "?":
            tokens.append((True, frozenset()))
        elif char == "[" and "]" in pattern[i + 1 :]:
            end = pattern.index("]", i + 1)
            tokens.append(_char_class(pattern[i:end]))
            i = end + 1
        else:
            if char == "\\" and i < len(pattern):
                char, i = pattern[i], i + 1
            tokens.append((False, frozenset(char)))
    return tokens


def _char_class(body: str) -> tuple[bool, frozenset[str]]:
    negated = body[0] in "!^"
    body = body[1:] if negated else body
    chars = set(body)
    for i in range(1, len(body) - 1):
        if body[i] == "-" and ord(body[i - 1]) <= ord(body[i + 1]) < 0x3000:
            chars |= {chr(c) for c in range(ord(body[i - 1]), ord(body[i + 1]) + 1)}
    return negated, frozenset(chars)
