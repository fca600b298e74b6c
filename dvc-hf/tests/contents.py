"""Contents of files for tests."""

import random


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that no one can compress or take for text."""
    return random.Random(seed).randbytes(size)
