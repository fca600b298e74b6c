"""``python -m dvc_hf ARGUMENTS``: DVC itself, where Python runs without ``.pth`` files."""

import sys

from dvc_hf import install


def main() -> int:
    """Run DVC's command line with ``hf://`` known to it."""
    install()
    from dvc.cli import main as dvc

    return int(dvc(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
