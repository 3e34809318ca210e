"""The report of rated votes: it says what is known, and where it is too early."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from evenhand.arena.ratings.analyse import Analysed, Choices, Counts, analyse
from evenhand.arena.ratings.csv_votes import VoteRow, columns_of
from evenhand.arena.ratings.measures import MEASURES
from evenhand.arena.ratings.report import report
from evenhand.arena.spec import BOTH_GOOD, LEFT
from evenhand.report.blocks import Block, Fold, Heading
from evenhand.report.html import render
from evenhand.report.markdown import render as render_markdown
from support.arena_votes import changed, planted


@cache
def analysed() -> Analysed:
    """By query, with a side effect and both-good votes, and battles without a vote."""
    rows = [
        changed(row, choice=BOTH_GOOD) if at % 9 == 0 else row
        for at, row in enumerate(planted(side=1.0))
    ]
    return analyse(
        columns_of(rows), choices=Choices(by="query"), counts=Counts(battles=700, skipped=60)
    )


def headings(blocks: list[Block]) -> list[str]:
    """Texts of all headings."""
    return [block.text for block in blocks if isinstance(block, Heading)]


def words(found: Analysed, **titles: str) -> str:
    """The report as Markdown."""
    return render_markdown(report(found, titles=titles, origin="votes.csv"))


def test_the_sections_answer_the_questions_in_turn() -> None:
    """Order, pairs, side, parts, influence, agreement, Elo, and how not to read it."""
    page = report(analysed(), titles={}, origin="votes.csv")
    found = headings(list(page.blocks))
    wanted = ["In short", "Who stands where", "Pair by pair", "Does the side matter?", "By query",
              "How much hangs on how few", "Do voters agree?", "Elo", "How not to read this",
              "What is missing", "Method", "Doing it again"]  # fmt: skip
    assert [text for text in found if text in wanted] == wanted
    assert page.subtitle == "4 models, 600 votes of 30 voters, from votes.csv."


def test_models_stand_under_their_names_and_nothing_is_markup() -> None:
    """Titles replace ids everywhere, and a title that is a script is text."""
    text = words(analysed(), m2="Balanced captions")
    assert "Balanced captions is the strongest of these models" in text
    assert "Balanced captions against" in text
    lone = [VoteRow(left="a", right="b", choice=LEFT, voter=str(v)) for v in range(5)]
    found = analyse(columns_of(lone))
    page = render(report(found, titles={"a": "<script>x</script>"}, origin="v"))
    assert "<script>x" not in page
    assert "&lt;script&gt;x" in page


def test_the_side_effect_is_told_first() -> None:
    """A side habit that stands is among the first sentences, with the share that went right."""
    text = words(analysed())
    assert "Side effect: a difference was seen" in text
    assert "went to the right" in text


def test_every_estimate_has_its_words() -> None:
    """Each name that the analysis uses is explained in the measures."""
    names = {e.name for e in analysed().result.estimates}
    assert names <= set(MEASURES)


def test_too_early_is_said_before_anything_is_drawn() -> None:
    """Few voters, equal models and unconnected models each get a warning."""
    few = words(analyse(columns_of(planted(voters=6, gaps=(2.0, 0.0, -2.0)))))
    assert "Too early: 6 voters are few" in few
    level = words(analyse(columns_of(planted(gaps=(0.0, 0.0, 0.0), each=6))))
    assert "Too early: no two of these models can be told apart yet" in level
    lone = [VoteRow(left="a", right="b", choice=LEFT, voter=str(v)) for v in range(5)]
    apart = words(analyse(columns_of(lone)))
    assert "Too early: the votes do not connect the models" in apart


def test_groups_and_datasets_have_their_sections() -> None:
    """By group tells whether groups differ; by dataset there is no order over all."""
    found = analyse(
        columns_of(planted(profile="region", turned=True)),
        choices=Choices(by="group", field="region"),
    )
    text = words(found)
    assert "By group of voters: region" in text
    assert "Over all models and groups the groups differ" in text
    rows = [*planted(voters=16), *planted(voters=16, dataset="street", seed=2)]
    apart = report(analyse(columns_of(rows), choices=Choices(by="dataset")), titles={}, origin="x")
    assert apart.title == "Arena: faces, street"
    assert "Who stands where" not in headings(list(apart.blocks))


def test_charts_have_names_of_their_own() -> None:
    """Written beside the page, no chart overwrites another."""

    def names(blocks: list[Block]) -> list[str]:
        inner = [block for block in blocks if isinstance(block, Fold)]
        own = [block.name for block in blocks if hasattr(block, "spec")]
        return own + [name for fold in inner for name in names(list(fold.blocks))]

    found = names(list(report(analysed(), titles={}, origin="x").blocks))
    assert len(found) == len(set(found)) > 5


def test_no_path_of_the_votes_file_is_told(tmp_path: Path) -> None:
    """A report names the file, not where somebody keeps it."""
    from evenhand.arena.ratings.gather import from_csv

    path = tmp_path / "votes.csv"
    path.write_text(
        "participant_id,query,model_a,model_b,winner,position_a\n"
        "p,doctor,a,b,A,left\nq,doctor,b,a,B,left\n"
    )
    gathered = from_csv(path, Choices())
    assert gathered.origin == "votes.csv"
    assert str(tmp_path) not in words(analyse(gathered.columns))
