"""``evenhand arena simulate-voters``: votes over HTTP whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenhand.cli import options

if TYPE_CHECKING:
    from evenhand.arena.voters.planted import Planted
    from evenhand.arena.voters.simulate import Crowd, Outcome

__all__ = ["register", "simulate_voters"]


Strength = Annotated[
    list[str] | None,
    typer.Option(
        "--strength",
        metavar="MODEL=LOGITS",
        help="How much better a model is; others are 0. Repeatable; needs --bundle.",
        show_default=False,
    ),
]
Bundle = Annotated[
    Path | None,
    typer.Option(
        "--bundle",
        metavar="FILE",
        help="The bundle that the arena shows: without it voters cannot tell models apart.",
        show_default=False,
    ),
]
ByAttribute = Annotated[
    str | None,
    typer.Option(
        "--by-attribute",
        metavar="NAME",
        help="Judge by how evenly this attribute is shown; needs --bundle.",
        show_default=False,
    ),
]
StuffFor = Annotated[
    str | None,
    typer.Option("--stuff-for", metavar="MODEL", help="Whom they push [default: the weakest]."),
]


def register(app: typer.Typer) -> None:
    """Add the verb to the noun."""
    app.command("simulate-voters")(simulate_voters)


def simulate_voters(
    url: Annotated[
        str, typer.Option("--url", metavar="ADDRESS", help="A running arena.")
    ] = "http://127.0.0.1:8080",
    voters: Annotated[int, typer.Option("--voters", min=0, help="How many voters.")] = 40,
    votes: Annotated[int, typer.Option("--votes", min=1, help="Votes of each.")] = 25,
    strength: Strength = None,
    taste_sd: Annotated[
        float, typer.Option("--taste-sd", min=0, help="How far voters differ, in logits.")
    ] = 0.3,
    side_bias: Annotated[
        float, typer.Option("--side-bias", help="Logits in favour of the right side.")
    ] = 0.5,
    tie_rate: Annotated[
        float, typer.Option("--tie-rate", help="The share of ties between equals.")
    ] = 0.12,
    both_bad: Annotated[
        float, typer.Option("--both-bad", help="The share of ties called both bad, where offered.")
    ] = 0.0,
    both_good: Annotated[
        float,
        typer.Option("--both-good", help="The share of ties called both good, where offered."),
    ] = 0.0,
    stuffers: Annotated[
        int,
        typer.Option("--stuffers", min=0, help="Voters who push one model as fast as they can."),
    ] = 0,
    stuffer_votes: Annotated[
        int, typer.Option("--stuffer-votes", min=1, help="Votes that each stuffer tries.")
    ] = 200,
    stuff_for: StuffFor = None,
    bundle: Bundle = None,
    by_attribute: ByAttribute = None,
    weight: Annotated[
        float, typer.Option("--weight", help="With --by-attribute: logits per unit of MaxSkew.")
    ] = 2.0,
    share: Annotated[
        float, typer.Option("--share", help="With --by-attribute: the share who judge by it.")
    ] = 1.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws the same opinions again.")] = 0,
    concurrency: Annotated[
        int, typer.Option("--concurrency", min=1, help="How many vote at the same time.")
    ] = 8,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Let simulated voters with planted opinions vote in a running arena.

    Example: evenhand arena simulate-voters --bundle arena_bundle_faces.npz --strength fair=0.6
    """
    import asyncio

    from evenhand.arena.voters.planted import Planted
    from evenhand.arena.voters.simulate import Crowd, simulate

    options.ground(workspace, db)
    as_json = options.wants_json(json)
    planted = Planted(
        strength=_strengths(strength),
        taste_sd=taste_sd,
        side_bias=side_bias,
        tie_rate=tie_rate,
        both_bad=both_bad,
        both_good=both_good,
        attribute=by_attribute,
        weight=weight,
        share=share,
    )
    crowd = Crowd(
        voters=voters,
        votes=votes,
        stuffers=stuffers,
        stuffer_votes=stuffer_votes,
        stuff_for=stuff_for,
        concurrency=concurrency,
    )
    with _opened(bundle) as known:
        outcome = asyncio.run(simulate(url, planted, crowd, seed=seed, bundle=known))
    _tell(planted, crowd, outcome, seed, as_json)


def _strengths(given: list[str] | None) -> dict[str, float]:
    from evenhand.errors import InputError

    found: dict[str, float] = {}
    for pair in given or ():
        model, _, text = pair.rpartition("=")
        try:
            found[model] = float(text)
        except ValueError:
            model = ""
        if not model:
            raise InputError(f"{pair!r} is no MODEL=LOGITS", where="--strength")
    return found


def _opened(bundle: Path | None) -> Any:
    """The bundle, to be closed at the end; or nothing."""
    from contextlib import closing, nullcontext

    if bundle is None:
        return nullcontext(None)
    from evenhand.arena.bundles.reading import open_bundle

    return closing(open_bundle(bundle))


def _tell(planted: Planted, crowd: Crowd, outcome: Outcome, seed: int, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        said = {**asdict(planted), "strength": dict(planted.strength), "nu": planted.nu}
        said |= {"seed": seed, "stuffers": crowd.stuffers, "stuff_for": crowd.stuff_for}
        options.print_json({"planted": said, "done": outcome.as_json()})
        return
    rate = outcome.votes / outcome.seconds if outcome.seconds else 0.0
    kinds = ", ".join(f"{n:,} {kind}" for kind, n in sorted(outcome.choices.items()))
    print(
        f"{outcome.voters:,} voters cast {outcome.votes:,} votes in {outcome.seconds:.1f} s "
        f"({rate:,.0f}/s)" + (f": {kinds}" if kinds else "")
    )
    for line in _planted_lines(planted):
        print(f"planted: {line}")
    if crowd.stuffers:
        print(f"{crowd.stuffers} stuffers: {outcome.stuffed:,} votes got through")
    if outcome.turned_away:
        options.note(f"{outcome.turned_away:,} times the arena's limits ended a voter's turn")
    if outcome.refused:
        options.note(f"{outcome.refused:,} votes were refused: late, repeated or unknown battles")


def _planted_lines(planted: Planted) -> list[str]:
    lines = [
        f"{name} {value:+g} logits"
        for name, value in sorted(planted.strength.items(), key=lambda item: -item[1])
    ]
    lines.append(f"side effect {planted.side_bias:+g}, taste sd {planted.taste_sd:g}")
    lines.append(f"{planted.tie_rate:.0%} ties between equals (nu {planted.nu:.3f})")
    if planted.attribute is not None:
        lines.append(
            f"{planted.share:.0%} judge by {planted.attribute}: {-planted.weight:+g} logits per "
            "unit of MaxSkew"
        )
    return lines
