"""`python -m beats_trainer` is the `beats` command."""

from beats_trainer.cli.main import main

main(prog_name="beats")
