"""Rated votes as a report: who stands where, how sure that is, and how not to read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

import evenhand
from evenhand.arena.ratings.analyse import Analysed
from evenhand.arena.ratings.measures import MEASURES
from evenhand.arena.ratings.parts import HOPELESS
from evenhand.arena.ratings.votes import outcomes, seen, tallies, used
from evenhand.arena.spec import LEFT, RIGHT
from evenhand.report.blocks import (
    Block,
    Fold,
    Heading,
    Items,
    Notice,
    Report,
    Table,
    Text,
    Tile,
    Tiles,
)
from evenhand.report.forest import forests
from evenhand.report.numbers import count, interval, number, p_words, percent
from evenhand.report.provenance import Provenance
from evenhand.report.sections import (
    MOST_ROWS,
    Words,
    how_many,
    in_short,
    meanings,
    method,
    missing,
    plots,
    reproduce,
    unseen,
)
from evenhand.report.sentences import finding, verdict
from evenhand.stats.estimate import Estimate, Result
from evenhand.stats.resample import FEW_CLUSTERS

__all__ = ["report"]

MOST_SAID = 6
"""Differences told in sentences; the plot shows the rest."""

MOST_DRAWN = 108
"""More rows than three pictures hold are not drawn; the record has all."""

MOST_LISTED = 2000
"""Beyond this many estimates the page leaves out pairs; the record has all."""

PAIRED = ("strength_difference", "preference_anytime", "voters_to_overturn", "votes_needed")
"""Estimates whose group and baseline are models."""

HOW_NOT_TO = (
    "A place is not a grade. Where places overlap, the votes do not say which model is better.",
    "A strength compares these models with each other. All of them may represent people poorly: see "
    "how often both sides were called bad, where voters could say so.",
    "These voters judged. Whether others would judge alike is not in the numbers; by group they show "
    "whether those who are here do.",
    "Voters judged sets of images for some queries. A model that is preferred for these may not be "
    "for others.",
    "Being preferred is not being balanced: hold the votes against parity of what was retrieved.",
)


@dataclass(frozen=True, slots=True)
class _Told:
    """What all sections share."""

    analysed: Analysed
    shown: Result
    titles: Mapping[str, str]
    words: Words

    def named(self, *names: str, part: bool | None = False) -> list[Estimate]:
        """Estimates of these names; of the whole, of the parts (True), or both (None)."""
        return [
            e
            for e in self.shown.estimates
            if e.name in names and (part is None or _is_of_part(e) == part)
        ]

    def title(self, model: str) -> str:
        return self.titles.get(model, model)


def report(
    analysed: Analysed, *, titles: Mapping[str, str], origin: str, beside: Sequence[Block] = ()
) -> Report:
    """The report of rated votes.

    Args:
        analysed: what ``analyse`` found.
        titles: models' names for people, by id; ids where there is none.
        origin: where the votes are from, in words.
        beside: a section to stand beside the votes, such as what parity measured.
    """
    words = Words(
        measures=MEASURES, units="Votes", done="votes cast", parts="By query, dataset or session"
    )
    told = _Told(analysed, _with_titles(analysed.result, titles), titles, words)
    columns = analysed.columns
    voters = len(used(columns.voter, len(columns.voters)))
    models = [told.title(columns.models[code]) for code in seen(columns)[0].tolist()]
    blocks = [
        *_short(told, voters),
        *_standing(told),
        *_pairs(told),
        *_side(told),
        *_groups(told),
        *_parts(told),
        *_hangs_on(told),
        *_voters(told),
        *beside,
        *_elo(told),
        Heading("How not to read this"),
        Items(HOW_NOT_TO),
        *_missing(told),
        *unseen(Result(tuple(told.named("strength_difference", "side_effect")), ()), words),
        *method(told.shown, words, listed=_listed(told.shown)),
        *reproduce(_provenance(told, models, origin), words),
    ]
    datasets = [columns.datasets[code] for code in used(columns.dataset, len(columns.datasets))]
    subtitle = (
        f"{how_many(models, 'model')}, {count(len(columns))} votes of {count(voters)} voters, from "
        f"{origin}."
    )
    return Report(f"Arena: {', '.join(datasets)}", subtitle, blocks, analysed.result)


def _listed(shown: Result) -> list[Estimate]:
    if len(shown.estimates) <= MOST_LISTED:
        return list(shown.estimates)
    return [e for e in shown.estimates if e.name != "preference_anytime"][:MOST_LISTED]


def _is_of_part(e: Estimate) -> bool:
    if e.condition is not None:
        return True
    return e.group is not None and e.name not in PAIRED and e.baseline is None


def _with_titles(result: Result, titles: Mapping[str, str]) -> Result:
    """The estimates with models' names in place of their ids."""

    def titled(e: Estimate) -> Estimate:
        subject = titles.get(e.subject or "", e.subject)
        if e.name not in PAIRED:
            return replace(e, subject=subject)
        group, baseline = (titles.get(one or "", one) for one in (e.group, e.baseline))
        contrast = None if e.contrast is None else _retitled(e.contrast, titles)
        return replace(e, subject=subject, group=group, baseline=baseline, contrast=contrast)

    return replace(result, estimates=tuple(titled(e) for e in result.estimates))


def _retitled(contrast: str, titles: Mapping[str, str]) -> str:
    ahead, _, behind = contrast.partition(" before ")
    return f"{titles.get(ahead, ahead)} before {titles.get(behind, behind)}"


# ---------------------------------------------------------------------------- in short


def _short(told: _Told, voters: int) -> Iterator[Block]:
    differences = told.named("strength_difference", "side_effect", "strength_group_difference",
                             part=None)  # fmt: skip
    headline = Result(tuple(differences), told.shown.accounting)
    units = {"answered": len(told.analysed.columns)}
    general = told.named("strength_difference", "side_effect")
    heading, _, *rest = in_short(headline, units, told.words, said=_sentences(told), about=general)
    yield from (heading, _tiles(told, headline, voters), *rest)
    early = _too_early(told, voters)
    if early:
        yield Notice(early, "warning")


def _tiles(told: _Told, headline: Result, voters: int) -> Tiles:
    """How much there is, and how much of it tells models apart."""
    columns = told.analysed.columns
    tests = [e for e in headline.estimates if e.name == "strength_difference"]
    stand = sum(verdict(e, MEASURES) == "differs" for e in tests)
    return Tiles(
        (
            Tile(count(len(columns)), "votes rated"),
            Tile(count(voters), "voters"),
            Tile(count(len(seen(columns)[0])), "models"),
            Tile(f"{count(stand)} of {count(len(tests))}", "pairs told apart after correction"),
        )
    )


def _sentences(told: _Told) -> list[str]:
    """The first model, the differences that stand, the side."""
    said = []
    ranks = {e.subject: e for e in told.named("rank")}
    for e in told.named("strength")[:1]:
        place = ranks.get(e.subject)
        said.append(
            f"{e.subject} is the strongest of these models: {number(e.value, 2)} logits above the mean "
            f"({interval(e.low, e.high, 2)}){_range_words(place)}."
        )
    stand = [
        e
        for e in told.named("strength_difference", "side_effect")
        if verdict(e, MEASURES) == "differs"
    ]
    stand.sort(key=lambda e: (e.name != "side_effect", e.p_holm or 0.0))
    said += [finding(e, measures=MEASURES).text for e in stand[:MOST_SAID]]
    return said


def _range_words(place: Estimate | None) -> str:
    if place is None or place.low is None or place.high is None:
        return ""
    if place.low == place.high:
        return f", and its place {place.value:.0f} is sure"
    return f", and its place may be any from {place.low:.0f} to {place.high:.0f}"


def _too_early(told: _Told, voters: int) -> str | None:
    ranks = told.named("rank")
    if told.analysed.whole is None:
        return None
    if not ranks:
        return (
            "Too early: the votes do not connect the models, so none of them has a strength yet."
        )
    if all((e.low, e.high) == (1, len(ranks)) for e in ranks):
        return "Too early: no two of these models can be told apart yet."
    if voters < FEW_CLUSTERS:
        return (
            f"Too early: {voters} voters are few. One more of another mind may change the order."
        )
    return None


# ---------------------------------------------------------------------------- the order


def _standing(told: _Told) -> Iterator[Block]:
    strengths = told.named("strength")
    if told.analysed.whole is None:
        return
    yield Heading("Who stands where")
    yield from meanings(told.named("strength", "rank"), MEASURES)
    charts = forests(strengths, title="Strength of each model, strongest first", measures=MEASURES,
                     name="strengths")  # fmt: skip
    yield from charts
    yield _table(told)
    for note in told.analysed.whole.strengths.notes:
        yield Notice(note)
    if strengths:
        yield Text(
            "Intervals are for one look. Whoever watches votes come in and stops at a good moment sees "
            "too much: for that, read the preferences at any time below."
        )
    rates = told.named("both_good_rate", "both_bad_rate")
    if rates:
        yield from plots(rates, "both", told.words)


def _table(told: _Told) -> Table:
    columns = told.analysed.columns
    codes, left, right = seen(columns)
    counts = tallies(left, right, outcomes(columns), len(codes))
    found = {
        name: {e.subject: e for e in told.named(name)}
        for name in ("strength", "rank", "elo", "order_sd")
    }
    rows = []
    for place, code in enumerate(codes.tolist()):
        title = told.title(columns.models[code])
        strength, rank, elo, spread = (found[name].get(title) for name in found)
        wins, losses, ties = counts[place].tolist()
        rows.append(
            (
                rank.value if rank else len(codes) + 1.0,
                (
                    title,
                    _places(rank),
                    number(strength.value, 2) if strength else "–",
                    interval(strength.low, strength.high, 2) if strength else "–",
                    wins, losses, ties,
                    number(elo.value, 0) if elo else "–",
                    number(spread.value, 0) if spread else "–",
                ),
            )
        )  # fmt: skip
    rows.sort(key=lambda row: row[0])
    heads = ("Model", "Place", "Strength", "Interval", "Won", "Lost", "Tied", "Elo", "Elo, spread")
    return Table(heads, tuple(row for _, row in rows), "Models")


def _places(rank: Estimate | None) -> str:
    if rank is None or rank.low is None or rank.high is None:
        return "–"
    if rank.low == rank.high:
        return f"{rank.low:.0f}"
    return f"{rank.low:.0f} to {rank.high:.0f}"


def _pairs(told: _Told) -> Iterator[Block]:
    differences = told.named("strength_difference")
    anytime = told.named("preference_anytime")
    if not differences and not anytime:
        return
    yield Heading("Pair by pair")
    if differences:
        yield from meanings(differences, MEASURES)
        yield from forests(
            differences, title="Differences in strength", measures=MEASURES, name="pairs"
        )
    if anytime:
        yield Heading("At any time of looking", 3)
        yield from meanings(anytime, MEASURES)
        stand = [e for e in anytime if e.q_bh is not None and e.q_bh < 1 - (e.level or 0.95)]
        yield Text(
            f"{how_many(stand, 'preference')} of {count(len(anytime))} may be claimed at any time of "
            "looking (e-BH over all pairs). Each voter counts once per pair, so this needs more voters, "
            "not more votes."
        )
        shown = anytime if len(anytime) <= MOST_DRAWN else stand[:MOST_DRAWN]
        charts = forests(
            shown, title="Preference at the first vote", measures=MEASURES, name="anytime"
        )
        yield from charts if len(shown) <= MOST_ROWS else (Fold("Pair by pair", charts),)


# ---------------------------------------------------------------------------- side


def _side(told: _Told) -> Iterator[Block]:
    side = told.named("side_effect")
    columns = told.analysed.columns
    left, right = (int((columns.choice == choice).sum()) for choice in (LEFT, RIGHT))
    yield Heading("Does the side matter?")
    yield Text(
        f"Of {count(left + right)} votes for one side, {count(right)} ({percent(right, left + right)}) "
        "went to the right. Sides are drawn at random, so a habit of choosing one of them favours no "
        "model; it only blurs what voters see."
    )
    if side:
        yield from meanings(side, MEASURES)
        yield from forests(
            side, title="Side effect, right above left", measures=MEASURES, name="side"
        )
    ties = told.named("tie_parameter")
    for e in ties:
        share = e.value / (e.value + 2)
        yield Text(
            f"Two equally strong models tie in {percent(share, 1)} of battles (nu {number(e.value)}, "
            f"{interval(e.low, e.high)})."
        )


# ---------------------------------------------------------------------------- groups and parts


def _groups(told: _Told) -> Iterator[Block]:
    groups = told.analysed.groups
    if groups is None:
        return
    yield Heading(f"By group of voters: {groups.name}")
    rows = tuple((level, voters) for level, voters in groups.voters.items())
    yield Table(("Group", "Voters"), rows, "In the voters' own words")
    for e in told.named("groups_differ", part=None):
        stands = e.p_holm is not None and e.p_holm < 0.05
        yield Text(
            f"Over all models and groups {'the groups differ' if stands else 'no difference between the groups was seen'} "
            f"({p_words(e.p)}, after Holm's correction {p_words(e.p_holm)})."
        )
    gaps = told.named("strength_group_difference", part=None)
    if gaps:
        yield from meanings(gaps, MEASURES)
        yield from forests(gaps, title=f"Against {groups.baseline}, the largest group",
                           measures=MEASURES, name="group-differences")  # fmt: skip
    own = [e for e in told.named("strength", part=True) if e.group is not None]
    yield from forests(
        own, title="Strengths in each group", measures=MEASURES, name="group-strengths"
    )
    for note in groups.notes:
        yield Notice(note)


def _parts(told: _Told) -> Iterator[Block]:
    """Each query, dataset or session."""
    by = told.analysed.choices.by
    if by is None or by == "group":
        return
    yield Heading(f"By {by}")
    strengths = told.named("strength", part=True)
    strengths.sort(key=lambda e: str(e.subject))
    if not strengths:
        yield Text("No part has votes enough for strengths.")
    if by != "dataset":
        yield Text(
            "A model may stand otherwise here than over all votes; with the votes split, intervals are "
            "wider, and of many parts some differ by chance."
        )
    drawn = strengths[:MOST_DRAWN]
    yield from forests(drawn, title=f"Strength by {by}", measures=MEASURES, name="part-strengths")
    if len(strengths) > len(drawn):
        yield Text(f"{count(len(strengths) - len(drawn))} more are in report.json.")
    pairs = told.named("strength_difference", part=True)[:MOST_DRAWN]
    if pairs:
        charts = forests(pairs, title=f"Differences by {by}", measures=MEASURES, name="part-pairs")
        yield Fold(f"{how_many(pairs, 'difference')} by {by}", charts)


# ---------------------------------------------------------------------------- voters


def _hangs_on(told: _Told) -> Iterator[Block]:
    rows = told.named("voters_to_overturn", "votes_needed")
    if not rows:
        return
    yield Heading("How much hangs on how few")
    said = []
    for e in rows:
        if e.name == "voters_to_overturn":
            said.append(
                f"Without {count(round(e.value))} of {count(e.n_clusters)} voters the order {e.contrast} "
                "would turn. They need not have done anything wrong; it says how much hangs on them."
            )
        elif e.value > HOPELESS * (e.n or 1):
            said.append(
                f"The votes leave {e.contrast} as good as level: more than {HOPELESS} times as many "
                "would be needed to settle it."
            )
        elif e.value:
            said.append(
                f"About {count(round(e.value))} more votes, by new voters as active as those so far, would "
                f"settle {e.contrast} with power 0.8, if the difference is the one estimated here."
            )
        else:
            said.append(f"No more votes are needed to settle {e.contrast} (power 0.8).")
    yield Items(tuple(said))


def _voters(told: _Told) -> Iterator[Block]:
    rows = told.named(
        "agreement_between_voters", "agreement_within_voter", "attention_failure_rate"
    )
    if not rows:
        return
    yield Heading("Do voters agree?")
    yield from meanings(rows, MEASURES)
    yield from plots(rows, "voters", told.words)


def _elo(told: _Told) -> Iterator[Block]:
    spread = [e.value for e in told.named("order_sd")]
    if not spread:
        return
    yield Heading("Elo")
    yield Text(
        "Elo is in the table because people know it: a replay of the votes in their order. It depends on "
        f"that order. The same votes in another one move these ratings by {number(float(np.median(spread)), 0)} "
        "points (standard deviation), and it never settles, however many votes come. Compare models by "
        "strength."
    )


def _missing(told: _Told) -> Iterator[Block]:
    whole = told.shown.accounting[:1]
    if not whole or whole[0].asked == whole[0].answered:
        return
    yield from missing(told.shown, told.words, rows=whole)
    yield Text(
        "Refused are battles that were skipped, failed those that ran out without a vote, unreadable "
        "rows of a file that no vote could be made of. Who passes a battle over may do so for what is "
        "shown, so many of them are a reason for doubt."
    )


def _provenance(told: _Told, models: list[str], origin: str) -> Provenance:
    chosen = told.analysed.choices
    options = {
        "--dataset": chosen.dataset, "--session": chosen.session, "--by": chosen.by,
        "--field": chosen.field, "--interval": chosen.inference.interval,
        "--level": f"{chosen.inference.level:g}", "--seed": str(chosen.inference.seed),
    }  # fmt: skip
    given = " ".join(f"{name} {value}" for name, value in options.items() if value)
    pool = " --pool" if chosen.pool else ""
    return Provenance(
        run=origin, models=tuple(models), version=evenhand.__version__,
        seed=chosen.inference.seed, units={"rated": len(told.analysed.columns)},
        commands=(f"evenhand arena rate {given}{pool}",),
    )  # fmt: skip
