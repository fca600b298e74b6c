"""`beats export`: a checkpoint as a file for another runtime, a table as a file for another program."""

from __future__ import annotations

from pathlib import Path

import click

from beats_trainer.cli.output import plainly, say, size_of

RUNTIMES = ("onnx", "openvino")
PROGRAMS = ("hoplite", "raven", "audacity", "npz", "csv", "atlas")


@click.command()
@click.argument("source")
@click.option("--to", "kind", type=click.Choice([*RUNTIMES, *PROGRAMS]), required=True)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Where to  [default: SOURCE's name, here]"
)
@click.option("--layer", type=int, help="Whose embeddings  [default: the last]")
@plainly
def export(source: str, kind: str, output: Path | None, layer: int | None) -> None:
    """Write a checkpoint for onnx or openvino, or a table for any of the others.

    SOURCE is a checkpoint's name or path, or the file or folder that `beats embed` wrote: --to says which.
    """
    try:
        written = (
            _encoder(source, kind, output, layer) if kind in RUNTIMES else _table(source, kind, output, layer)
        )
    except ImportError as error:
        raise click.ClickException(str(error)) from error
    say(f"Written: {size_of(sum(f.stat().st_size for f in _files(written)))}")
    click.echo(written)


def _encoder(model: str, kind: str, output: Path | None, layer: int | None) -> Path:
    from beats_trainer.encoder.runtimes import SUFFIXES
    from beats_trainer.encoder.runtimes import export_encoder as write
    from beats_trainer.load import load_model

    _refuse_table(model, kind)
    suffix = next(s for s, known in SUFFIXES.items() if known == kind)
    target = output or Path(Path(model).stem + suffix)
    if target.suffix != suffix:
        message = f"{target} is no name for {kind}. End it in {suffix}, or change --to."
        raise click.ClickException(message)
    return write(load_model(model, device="cpu"), target, -1 if layer is None else layer)


def _table(source: str, kind: str, output: Path | None, layer: int | None) -> Path:
    from beats_trainer.export.writers import write_as
    from beats_trainer.table.settings import column_of, settings_of

    _refuse_checkpoint(source, kind)
    return write_as(kind, Path(source), output, column_of(settings_of(source), layer))


def _refuse_table(source: str, kind: str) -> None:
    """A name of the registry is never looked for among the files that lie around."""
    from beats_trainer.hub.fetch import list_checkpoints

    if _is_table(Path(source)) and source not in list_checkpoints():
        message = (
            f"{source} is a table, and {kind} is written from a checkpoint. Name a checkpoint, or "
            f"take one of: --to {', '.join(PROGRAMS)}."
        )
        raise click.ClickException(message)


def _refuse_checkpoint(source: str, kind: str) -> None:
    from beats_trainer.hub.fetch import list_checkpoints

    path = Path(source)
    weights = path.is_file() and path.suffix.lower() != ".parquet"
    if weights or (not path.exists() and source in list_checkpoints()):
        message = (
            f"{source} is not a table, from which {kind} is written. Name what `beats embed` wrote, or, "
            f"if it is a checkpoint, take one of: --to {', '.join(RUNTIMES)}."
        )
        raise click.ClickException(message)


def _is_table(path: Path) -> bool:
    return (path.is_file() and path.suffix.lower() == ".parquet") or any(path.glob("shard=*/*.parquet"))


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return [file for file in path.rglob("*") if file.is_file()]
    return [
        p for p in (path, path.with_suffix(".bin")) if p.exists() and (p == path or path.suffix == ".xml")
    ]
