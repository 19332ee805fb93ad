"""``python -m lib.datasets ml-100k``: get data sets and say where they came from."""

from __future__ import annotations

import sys

import click

from lib.datasets import CorruptDataset, DatasetUnavailable, UnknownDataset, entries, load


@click.command(
    help="Get MovieLens data sets by name and say where each came from; without a name, list them."
)
@click.argument("names", nargs=-1)
@click.option(
    "--directory", help="A folder with unpacked data sets or official zips (default: MOVIELENS_DIR)."
)
def main(names: tuple[str, ...], directory: str | None) -> None:
    """Load each data set named, or list all; exit 2 for an unknown name, 3 where data is missing or corrupt."""
    for known in () if names else entries().values():
        counts = known.counts
        click.echo(
            f"{known.name:16}{known.title}: {counts['ratings']:,} ratings, {counts['users']:,} users, "
            f"{counts['items']:,} rated films"
        )
    for name in names:
        try:
            dataset = load(name, directory=directory)
        except (UnknownDataset, DatasetUnavailable, CorruptDataset) as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(2 if isinstance(error, UnknownDataset) else 3)
        click.echo(f"{dataset.title} ({dataset.name})")
        click.echo(f"  {dataset.interactions!r}")
        click.echo(f"  source    {dataset.source}: {dataset.origin}")
        for file, checksum in dataset.checksums.items():
            click.echo(f"  sha256    {checksum}  {file}")
        click.echo(f"  licence   {dataset.licence}\n  cite      {dataset.citation}")


if __name__ == "__main__":
    main()
