"""One logger, below DVC's own, so that ``-v`` and ``-q`` and DVC's colours hold for it too."""

import logging

logger = logging.getLogger("dvc.hf")
