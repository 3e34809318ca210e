"""Votes to the one record: real votes, planted ones, and the faults of the arena we replace."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest

from evenhand.arena.ratings.analyse import Choices, Counts, analyse, by_of
from evenhand.arena.ratings.csv_votes import VoteRow, columns_of
from evenhand.arena.spec import BOTH_BAD, BOTH_GOOD, LEFT, RIGHT, TIE, VoteColumns
from evenhand.errors import InputError
from evenhand.stats.estimate import Estimate, Result
from support.arena_votes import changed, planted
from support.legacy_votes import legacy_ratings, legacy_votes

MODELS = ("m0", "m1", "m2", "m3")


@cache
def whole() -> Result:
    """The analysis of the planted votes, made once."""
    return analyse(columns_of(planted())).result


@cache
def twenty() -> Result:
    """Of the first twenty voters."""
    return analyse(columns_of(planted(voters=20))).result


def named(result: Result, name: str, **fields: object) -> list[Estimate]:
    """The estimates of one name."""
    return [
        e
        for e in result.estimates
        if e.name == name and all(getattr(e, key) == value for key, value in fields.items())
    ]


# ---------------------------------------------------------------------------- the legacy votes


@pytest.mark.real_data
def test_elo_of_the_legacy_votes_is_what_was_stored() -> None:
    """Elo replayed from the log equals the stored ratings to 1e-9; wins, losses and ties as well."""
    from evenhand.arena.ratings.votes import outcomes, seen, tallies

    columns = legacy_votes()
    stored = legacy_ratings()
    found = {e.subject: e.value for e in named(analyse(columns).result, "elo")}
    assert found.keys() == stored.keys()
    assert all(abs(found[model] - stored[model][0]) < 1e-9 for model in stored)
    codes, left, right = seen(columns)
    counts = tallies(left, right, outcomes(columns), len(codes))
    assert {
        columns.models[c]: tuple(row) for c, row in zip(codes, counts.tolist(), strict=True)
    } == {model: row[1:] for model, row in stored.items()}


@pytest.mark.real_data
def test_planted_order_of_the_legacy_votes_is_found() -> None:
    """The planted strengths of the legacy votes lie in their intervals, and the side is flagged."""
    result = analyse(legacy_votes()).result
    truth = {"m0": 0.0, "m1": 0.3, "m2": 0.6, "m3": -0.4}
    middle = np.mean(list(truth.values()))
    for e in named(result, "strength"):
        assert e.low is not None
        assert e.high is not None
        assert e.low <= truth[str(e.subject)] - middle <= e.high
    (side,) = named(result, "side_effect")
    assert side.p is not None
    assert side.p < 0.001
    assert side.value > 0


@pytest.mark.real_data
def test_a_rank_never_stands_without_its_range() -> None:
    """Ranks came without any interval; here every place says which others the votes leave open."""
    ranks = named(analyse(legacy_votes()).result, "rank")
    assert [e.value for e in ranks] == [1, 2, 3, 4]
    for e in ranks:
        assert e.low is not None
        assert e.high is not None
        assert 1 <= e.low <= e.value <= e.high <= 4
    assert any(e.low != e.high for e in ranks)


def test_stored_ratings_that_cover_other_votes_cannot_arise() -> None:
    """Stored ratings once covered 11 games of 22 logged votes; ours are always a replay of the log."""
    rows = planted(voters=11, each=2, seed=3)
    whole = analyse(columns_of(rows)).result
    later = analyse(columns_of(rows), choices=Choices(epoch_at=11.0)).result
    assert sum(e.n or 0 for e in named(whole, "elo")) == 2 * 22
    # A reset marks an epoch: Elo starts anew, and nothing is forgotten elsewhere.
    assert sum(e.n or 0 for e in named(later, "elo")) == 2 * 11
    assert [e.value for e in named(later, "strength")] == [
        e.value for e in named(whole, "strength")
    ]


def test_a_side_habit_is_flagged() -> None:
    """Eighteen of 22 votes for the right side went unflagged; here the side effect is tested."""
    result = analyse(columns_of(planted(side=1.0, seed=5))).result
    (side,) = named(result, "side_effect")
    assert side.low is not None
    assert side.p_holm is not None
    assert side.low > 0.5
    assert side.p_holm < 0.001
    (none,) = named(whole(), "side_effect")
    assert none.p_holm is not None
    assert none.p_holm > 0.05


# ---------------------------------------------------------------------------- datasets


def two_datasets() -> VoteColumns:
    """A model that is best on one dataset and worst on the other."""
    first = planted(voters=20, gaps=(1.0, 0.0, 0.0, -1.0), dataset="faces", seed=1)
    second = planted(voters=20, gaps=(-1.0, 0.0, 0.0, 1.0), dataset="street", seed=2)
    return columns_of([*first, *second])


def test_datasets_are_not_mixed_unasked() -> None:
    """One global rating mixed datasets silently after a switch; ours refuses and names them."""
    with pytest.raises(InputError, match="faces, street"):
        analyse(two_datasets())


def test_each_dataset_has_its_own_ratings() -> None:
    """By dataset, the model that leads on one is last on the other, and no whole is made up."""
    found = analyse(two_datasets(), choices=Choices(by="dataset"))
    assert found.whole is None
    leaders = {e.condition: e.subject for e in named(found.result, "rank") if e.value == 1}
    assert leaders == {"faces": "m0", "street": "m3"}
    assert {e.condition for e in named(found.result, "elo")} == {"faces", "street"}


def test_one_dataset_can_be_chosen_or_all_pooled() -> None:
    """--dataset rates one, --pool mixes them and says so."""
    one = analyse(two_datasets(), choices=Choices(dataset="street")).result
    assert named(one, "strength")[0].subject == "m3"
    pooled = analyse(two_datasets(), choices=Choices(pool=True)).result
    assert any("several datasets" in note for note in pooled.notes)
    with pytest.raises(InputError, match="known: faces, street"):
        analyse(two_datasets(), choices=Choices(dataset="cars"))


# ---------------------------------------------------------------------------- parts


def test_by_query_and_session() -> None:
    """Each query and session is rated on its own, in a family apart: the whole says what it said."""
    columns = columns_of(planted())
    queries = analyse(columns, choices=Choices(by="query")).result
    assert {e.condition for e in named(queries, "strength")} == {None, "doctor", "nurse"}
    sizes = Counter(e.family for e in queries.estimates if e.p_holm is not None)
    assert sizes == {"arena": 7, "arena by query": 14, "arena, at any time": 6}
    assert named(queries, "strength_difference", condition=None) == named(
        whole(), "strength_difference"
    )
    sessions = analyse(columns, choices=Choices(by="session")).result
    assert {e.condition for e in named(sessions, "strength")} == {None, "pilot"}
    assert any("300 votes were cast in no named session" in note for note in sessions.notes)


def test_groups_of_voters_that_disagree_are_found() -> None:
    """Groups with opposite opinions differ in the one test, and model by model."""
    columns = columns_of(
        planted(profile="region", turned=True, ties=0.05, gaps=(0.0, 0.3, 0.9, -0.9))
    )
    found = analyse(columns, choices=Choices(by="group", field="region"))
    (test,) = named(found.result, "groups_differ")
    assert test.p is not None
    assert test.p < 0.001
    first = {e.group: e.subject for e in named(found.result, "rank", value=1.0) if e.group}
    assert first == {"a": "m2", "b": "m3"}
    gaps = named(found.result, "strength_group_difference", baseline="a")
    assert [e.subject for e in gaps] == ["m2", "m1", "m0", "m3"]
    assert gaps[0].value < -1


def test_groups_need_a_field_that_somebody_answered() -> None:
    """Without a field, or with one that nobody answered, an error names those there are."""
    columns = columns_of(planted(voters=4, profile="region"))
    with pytest.raises(InputError, match="voters said region"):
        analyse(columns, choices=Choices(by="group"))
    with pytest.raises(InputError, match="they said: region"):
        analyse(columns, choices=Choices(by="group", field="age"))
    with pytest.raises(InputError, match="no vote was cast in a named session"):
        analyse(columns_of(two_in_two()), choices=Choices(by="session"))
    with pytest.raises(InputError, match="none of query, dataset, session, group"):
        by_of("model")


def two_in_two() -> list[VoteRow]:
    """Four votes of two voters, without sessions."""
    return [
        VoteRow(left="ab"[game % 2], right="ba"[game % 2], choice=voter, voter=str(voter))
        for voter in range(2)
        for game in range(2)
    ]


# ---------------------------------------------------------------------------- few votes


def test_models_that_nothing_compares_are_named() -> None:
    """Where the votes split into unconnected models a plain sentence names the parts."""
    rows = [
        VoteRow(left=a, right=b, choice=(voter * game) % 3 % 2, voter=str(voter))
        for voter in range(6)
        for game in range(4)
        for a, b in (("a", "b"), ("c", "d"))
    ]
    result = analyse(columns_of(rows)).result
    assert {e.subject for e in named(result, "strength")} <= {"a", "b", "c", "d"}
    assert any("no strength for" in note for note in result.notes)
    lone = [VoteRow(left="a", right="b", choice=LEFT, voter=str(v)) for v in range(5)]
    result = analyse(columns_of(lone)).result
    assert named(result, "strength") == []
    assert any("parts that nothing compares both ways: a | b" in note for note in result.notes)
    assert [e.value > 1500 for e in named(result, "elo")] == [True, False]


def test_a_model_that_never_lost_is_left_out() -> None:
    """A newcomer with three wins has no finite strength: it is named, the others are rated."""
    rows = planted(voters=20, gaps=(0.0, 0.3, 0.9))
    rows += [
        VoteRow(left="new", right="m0", choice=LEFT, voter=f"v{v}", dataset="faces")
        for v in range(3)
    ]
    result = analyse(columns_of(rows)).result
    assert {e.subject for e in named(result, "strength")} == {"m0", "m1", "m2"}
    assert any(note.startswith("no strength for new") for note in result.notes)


def test_nothing_to_rate() -> None:
    """No vote at all is an error, not a table of zeros."""
    with pytest.raises(InputError, match="no vote to rate"):
        analyse(columns_of([]))


# ---------------------------------------------------------------------------- rates and checks


def test_both_good_and_both_bad_are_ties_with_rates_of_their_own() -> None:
    """Both good and both bad weigh as ties in strengths, and each model has its rate of them."""
    rows = planted(voters=20, ties=0.0)
    for at in range(0, len(rows), 4):
        rows[at] = changed(rows[at], choice=BOTH_GOOD if at % 8 else BOTH_BAD)
    as_ties = [changed(row, choice=TIE if row.choice > TIE else row.choice) for row in rows]
    found, plain = analyse(columns_of(rows)).result, analyse(columns_of(as_ties)).result
    assert [e.value for e in named(found, "strength")] == [
        e.value for e in named(plain, "strength")
    ]
    good = named(found, "both_good_rate")
    assert len(good) == 4
    assert sum(e.value * (e.n or 0) for e in good) == pytest.approx(2 * 50)
    assert named(plain, "both_good_rate") == []


def test_checks_are_described_and_not_rated() -> None:
    """Identical panels and repeats change no rating; failures and self-agreement are told."""
    rows = planted(voters=20)
    checks = [
        VoteRow(
            left="m0",
            right="m0",
            choice=LEFT if v < 5 else TIE,
            voter=f"v{v}",
            dataset="faces",
            kind=1,
        )
        for v in range(20)
    ]
    columns = columns_of([*rows, *checks])
    found = analyse(columns).result
    plain = twenty()
    assert [e.value for e in named(found, "strength")] == [
        e.value for e in named(plain, "strength")
    ]
    (failed,) = named(found, "attention_failure_rate")
    assert failed.value == 0.25
    assert failed.n_clusters == 20


def test_repeats_are_compared_by_model() -> None:
    """A battle shown again with sides swapped agrees when the same model is chosen."""
    rows = planted(voters=20)
    n = len(rows)
    again = [
        VoteRow(
            left=rows[at].right, right=rows[at].left, voter=rows[at].voter, dataset="faces", kind=2,
            choice={LEFT: RIGHT, RIGHT: LEFT}.get(rows[at].choice, TIE) if at % 3 else rows[at].choice,
        )
        for at in range(0, n, 7)
    ]  # fmt: skip
    columns = columns_of([*rows, *again])
    first = np.concatenate((np.full(n, -1), np.arange(0, n, 7))).astype(np.int32)
    from dataclasses import replace

    columns = replace(columns, first=first)
    (same,) = named(analyse(columns).result, "agreement_within_voter")
    changed = sum(at % 3 == 0 and rows[at].choice != TIE for at in range(0, n, 7))
    assert same.value == pytest.approx(1 - changed / len(again))
    more = analyse(columns, choices=Choices(repeats=True)).result
    assert named(more, "elo")[0].n != named(twenty(), "elo")[0].n


def test_agreement_rises_with_a_shared_opinion() -> None:
    """Voters of one mind agree, voters who toss coins do not; which model is named first is all one."""
    strong = analyse(columns_of(planted(gaps=(4.0, 0.0, -4.0, -8.0), ties=0.0))).result
    none = analyse(columns_of(planted(gaps=(0.0, 0.0, 0.0, 0.0), taste=0.0))).result
    (high,) = named(strong, "agreement_between_voters")
    (low,) = named(none, "agreement_between_voters")
    assert high.value > 0.8
    assert abs(low.value) < 0.06
    assert low.low is not None
    assert low.low <= low.value <= (low.high or 0)


# ---------------------------------------------------------------------------- the record


def test_every_claim_names_how_it_was_made() -> None:
    """Strengths are clustered by voter; claims at any time count each voter once; elo has no interval."""
    result = whole()
    for e in result.estimates:
        assert e.instrument == "arena"
        if e.p is not None:
            assert e.family is not None
            assert e.p_holm is not None
            assert e.cluster == "voter"
    anytime = named(result, "preference_anytime")
    assert len(anytime) == 6
    assert all((e.n or 0) <= 40 and 0 < (e.p or 0) <= 1 for e in anytime)
    assert all(e.low is None and e.p is None for e in named(result, "elo"))
    assert all(e.value > 0 for e in named(result, "order_sd"))
    assert {e.name for e in result.estimates} >= {
        "tie_parameter",
        "voters_to_overturn",
        "votes_needed",
    }


def test_everything_asked_is_accounted_for() -> None:
    """Battles are voted, skipped, unreadable or left without a vote, and sum to those made."""
    columns = columns_of(planted(voters=10))
    counts = Counts(battles=300, skipped=20, unvoted=30, unreadable=2)
    whole = analyse(columns, counts=counts).result.accounting[0]
    assert (whole.asked, whole.answered, whole.refused, whole.unreadable) == (300, 200, 20, 2)
    assert whole.failed == 78
    alone = analyse(columns).result.accounting[0]
    assert (alone.asked, alone.answered, alone.failed) == (200, 200, 0)


def test_relabelling_models_only_relabels() -> None:
    """Other names in another order of appearance give the same strengths under the new names."""
    rows = planted(voters=20)
    new = {"m0": "zeta", "m1": "alpha", "m2": "beta", "m3": "chi"}
    other = [changed(row, left=new[row.left], right=new[row.right]) for row in rows]
    one = {
        new[str(e.subject)]: e.value for e in named(analyse(columns_of(rows)).result, "strength")
    }
    two = {e.subject: e.value for e in named(analyse(columns_of(other)).result, "strength")}
    assert one == pytest.approx(two)
