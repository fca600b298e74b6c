"""Which clips go through the encoder together: arithmetic without a model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

# More do not run faster on a CPU, and their intermediate tensors leave its caches.
PATCHES_PER_FORWARD = 768
PATCHES_PER_GPU_FORWARD = 16_384  # 33 clips of 10 s: enough to fill a large GPU


def plan(patches: Sequence[int], limit: int = PATCHES_PER_FORWARD) -> list[list[int]]:
    """Group clips of equal size, so that nothing is ever padded.

    Args:
        patches: Number of patches of each clip.
        limit: Patches that go through the encoder at once; a clip of more goes alone.

    Returns:
        Positions of the clips that go together, in ascending order of size.
    """
    alike: dict[int, list[int]] = defaultdict(list)
    for position, count in enumerate(patches):
        alike[count].append(position)
    return [
        positions[start : start + max(1, limit // max(1, count))]
        for count, positions in sorted(alike.items())
        for start in range(0, len(positions), max(1, limit // max(1, count)))
    ]
