"""`beats export`: an encoder as a file for another runtime."""

from __future__ import annotations

from pathlib import Path

import click

from beats_trainer.commands.output import plainly, say, size_of


@click.command()
@click.argument("model")
@click.option("--to", "runtime", type=click.Choice(["onnx", "openvino"]), default="onnx", show_default=True)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Where to  [default: NAME.onnx or NAME.xml here]"
)
@click.option("--layer", default=-1, show_default=True, help="The layer that the file gives.")
@plainly
def export(model: str, runtime: str, output: Path | None, layer: int) -> None:
    """Write MODEL, a name or a path, for ONNX Runtime or OpenVINO."""
    from beats_trainer.export import SUFFIXES
    from beats_trainer.export import export as write
    from beats_trainer.load import load_model

    suffix = next(s for s, known in SUFFIXES.items() if known == runtime)
    target = output or Path(Path(model).stem + suffix)
    if target.suffix != suffix:
        message = f"{target} is no name for {runtime}. End it in {suffix}, or change --to."
        raise click.ClickException(message)
    try:
        written = write(load_model(model, device="cpu"), target, layer)
    except ImportError as error:
        raise click.ClickException(str(error)) from error
    say(f"Written: {size_of(sum(f.stat().st_size for f in _files(written)))}")
    click.echo(written)


def _files(path: Path) -> list[Path]:
    return [
        p for p in (path, path.with_suffix(".bin")) if p.exists() and (p == path or path.suffix == ".xml")
    ]
