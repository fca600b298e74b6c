"""`python -m minihub`."""

from minihub.cli import main

main()
