"""``evenhand survey balance`` and ``counterfactual``: datasets made from another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from evenhand.cli import options

if TYPE_CHECKING:
    from evenhand.survey.building.balance import Balanced
    from evenhand.survey.building.counterfactuals import Variants
    from evenhand.survey.people.datasets import DatasetRow

__all__ = ["register"]

Source = Annotated[
    str, typer.Option("--dataset", metavar="DATASET", help="Id or name of the dataset to use.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="The same seed chooses the same people.")]
Name = Annotated[
    str | None, typer.Option("--name", help="What to call the new dataset.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the verbs ``balance`` and ``counterfactual``."""
    app.command("balance")(balance)
    app.command("counterfactual")(counterfactual)


def balance(
    dataset: Source,
    n: Annotated[int, typer.Option("--n", help="How many people to choose.")],
    seed: Seed,
    axes: Annotated[
        str | None,
        typer.Option(
            "--axes",
            metavar="A,B,…",
            help="Attributes and groupings to make even [default: gender,age_bin,subregion,"
            "religion,sexuality, as far as they vary].",
            show_default=False,
        ),
    ] = None,
    pairs: Annotated[
        list[str] | None,
        typer.Option(
            "--pairs",
            metavar="A:B",
            help="A pair of axes to keep from being associated; give it again for more, or none "
            "[default: subregion:religion].",
            show_default=False,
        ),
    ] = None,
    keep: Annotated[
        float,
        typer.Option(
            "--keep", help="Share of its Cramér's V in the pool that such a pair may keep."
        ),
    ] = 0.5,
    name: Name = None,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Choose people so that attributes are even and chosen pairs are not associated."""
    from evenhand.survey.building.build import build_balanced
    from evenhand.survey.people.datasets import Datasets

    as_json = options.wants_json(json)
    with Datasets(options.ground(workspace, db)) as datasets:
        row, found = build_balanced(
            datasets,
            dataset,
            n,
            axes=_words(axes),
            pairs=_pairs(pairs),
            keep=keep,
            seed=seed,
            name=name,
        )
    if as_json:
        options.print_json({**_made(row), **found.as_counts()})
    else:
        _print_balanced(row, found)


def counterfactual(
    dataset: Source,
    seed: Seed,
    attributes: Annotated[
        str | None,
        typer.Option(
            "--attributes",
            metavar="A,B,…",
            help="What to change, one per pair [default: gender,age,origin,religion,sexuality].",
            show_default=False,
        ),
    ] = None,
    name: Name = None,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Add a variant of each person that differs in exactly one attribute."""
    from evenhand.survey.building.build import build_counterfactual
    from evenhand.survey.people.datasets import Datasets

    as_json = options.wants_json(json)
    with Datasets(options.ground(workspace, db)) as datasets:
        row, found = build_counterfactual(
            datasets, dataset, attributes=_words(attributes), seed=seed, name=name
        )
    if as_json:
        options.print_json(
            {
                **_made(row),
                "pairs": len(found),
                "changed": found.changed(),
                "feasible": dict(found.feasible),
                "without_variant": len(found.without),
            }
        )
    else:
        _print_variants(row, found)


def _words(text: str | None) -> list[str] | None:
    return None if text is None else [word.strip() for word in text.split(",") if word.strip()]


def _pairs(texts: list[str] | None) -> list[tuple[str, str]] | None:
    """Pairs as they were typed; none for the word ``none``."""
    from evenhand.errors import InputError

    if not texts:
        return None
    if texts == ["none"]:
        return []
    found = []
    for text in texts:
        parts = [part.strip() for part in text.split(":")]
        if len(parts) != 2 or not all(parts):
            raise InputError(
                f"{text!r} is no pair; write subregion:religion, or none alone", where="--pairs"
            )
        found.append((parts[0], parts[1]))
    return found


def _made(row: DatasetRow) -> dict[str, object]:
    return {
        "dataset": row.id, "name": row.name, "kind": row.kind, "n": row.n,
        "source": row.source_id, "seed": row.seed,
    }  # fmt: skip


def _print_balanced(row: DatasetRow, found: Balanced) -> None:
    print(f"dataset {row.id} {row.name!r}: {row.n:,} people, balanced")
    print("\nUnevenness: sum of |share - min(1/k, available/n)|, and the least this pool allows")
    for e in found.evenness:
        shares = ", ".join(f"{level} {100 * c / row.n:.1f}" for level, c in e.chosen.items())
        print(f"  {e.axis:<18} {e.distance:.3f}  least {e.least:.3f}   % {shares}")
    print("\nAssociation: Cramér's V, corrected for bias, before and after")
    for t in found.together:
        print(
            f"  {t.first + ' x ' + t.second:<28} {_v(t.before)} -> {_v(t.after)}"
            + ("  (kept apart)" if t.kept else "")
        )
    for line in found.notes:
        options.note(f"note: {line}")


def _v(value: float | None) -> str:
    return "   –" if value is None else f"{value:.3f}"


def _print_variants(row: DatasetRow, found: Variants) -> None:
    print(f"dataset {row.id} {row.name!r}: {len(found):,} pairs, {row.n:,} people")
    print(f"\n  {'changed':<18} {'pairs':>8} {'possible in':>12}")
    for attribute, pairs in found.changed().items():
        print(f"  {attribute:<18} {pairs:>8,} {found.feasible[attribute]:>12,}")
    if len(found.without):
        options.note(
            f"note: {len(found.without):,} people have no attribute that could be changed and "
            "are left out"
        )
