"""Parity of a bundle's rankings, and whether votes follow it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from evenhand.arena.bundles.bundle import Bundle
from evenhand.arena.bundles.reading import open_bundle
from evenhand.arena.config import config_of
from evenhand.arena.parity.follow import votes_follow
from evenhand.arena.parity.measure import Parity, analyse_parity
from evenhand.arena.parity.report import parity_report
from evenhand.arena.parity.target import Target, read_target
from evenhand.arena.precompute.run import Options, precompute
from evenhand.arena.spec import LEFT, RIGHT, TIE, VoteColumns
from evenhand.cli import arena_parity, options
from evenhand.errors import EvenhandError, InputError
from evenhand.report.markdown import render as markdown
from evenhand.report.record import write
from evenhand.stats.estimate import Estimate
from evenhand.stats.parity import max_skew
from support.bundles import small_bundle

QUERIES = tuple(
    f"a {name}"
    for name in (
        *("doctor", "nurse", "teacher", "builder", "cook", "painter", "manager", "musician"),
        *("gardener", "programmer", "blue background", "green background", "white background"),
        *("pink background", "smile", "face"),
    )
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn portraits under a model that prefers men and one that does not."""
    folder = tmp_path_factory.mktemp("parity")
    config = config_of(
        {
            "models": [
                {"id": "skewed", "backend": "simulated", "model_name": "man=0.9 noise=0.5"},
                {"id": "plain", "backend": "simulated", "model_name": "noise=0.5 seed=2"},
            ],
            "datasets": [{"id": "drawn", "source": "portraits", "max_images": 80}],
        },
        where="test",
    )
    options = Options(bundles_dir=folder, thumbnail_size=16)
    return precompute(config, QUERIES, config.datasets, options)[0].path


@pytest.fixture
def bundle(path: Path) -> Iterator[Bundle]:
    """It, open."""
    found = open_bundle(path)
    yield found
    found.close()


@pytest.fixture(scope="module")
def gender(path: Path) -> Parity:
    """Measured by gender."""
    opened = open_bundle(path)
    found = analyse_parity(opened, attributes=["gender"], permutations=199)
    opened.close()
    return found


def one(found: Parity, name: str, subject: str | None, group: str | None = None) -> Estimate:
    """The one estimate of that name."""
    (estimate,) = [
        e for e in found.result.estimates if (e.name, e.subject, e.group) == (name, subject, group)
    ]
    return estimate


def test_a_planted_preference_shows(gender: Parity) -> None:
    """The model that prefers men shows them more than their share, beyond chance; the other one
    little more than chance; and the difference between the two is clear of 0."""
    skewed, plain = (one(gender, "max_skew", model) for model in ("skewed", "plain"))
    assert skewed.low is not None
    assert skewed.low > 0.3
    assert skewed.p_holm is not None
    assert skewed.p_holm < 0.05
    chance = one(gender, "max_skew_by_chance", "plain").value
    assert plain.value - chance < 0.25 * (skewed.value - chance)
    gap = one(gender, "max_skew_difference", "skewed", "skewed")
    assert gap.low is not None
    assert gap.low > 0
    men = one(gender, "representation", "skewed", "man")
    assert men.low is not None
    assert men.low > float(gender.attributes[0].target[gender.attributes[0].values.index("man")])
    assert (men.cluster, men.n_clusters, men.n) == ("query", 16, 160)


def test_estimates_are_the_measures_over_queries(bundle: Bundle, gender: Parity) -> None:
    """Done again from the bundle: mean MaxSkew@10 over its queries, and chance beside it."""
    values, codes = np.unique(bundle.attributes["gender"], return_inverse=True)
    shares = np.bincount(codes) / len(codes)
    rows = np.stack([codes[bundle.ranking("plain", q)[:10]] for q in QUERIES])
    expected = max_skew(rows, shares, k=10).mean()
    assert one(gender, "max_skew", "plain").value == pytest.approx(expected)
    assert 0.05 < one(gender, "max_skew_by_chance", "plain").value < 0.6
    assert list(gender.attributes[0].values) == values.tolist()
    total, mine = gender.result.accounting
    assert (total.asked, mine.answered, mine.condition) == (32, 32, "gender")


def test_targets_are_stated(bundle: Bundle, tmp_path: Path) -> None:
    """The dataset's shares, all alike, or a file; a file that leaves a value out is refused."""
    uniform = analyse_parity(
        bundle, attributes=["gender"], target=Target("uniform"), permutations=99
    )
    np.testing.assert_allclose(uniform.attributes[0].target, 1 / 3)
    path = tmp_path / "t.yaml"
    path.write_text("gender: {man: 0.5, woman: 0.4, neutral: 0.1, other: 0}", encoding="utf-8")
    stated = analyse_parity(
        bundle, attributes=["gender"], target=read_target(str(path)), permutations=99
    )
    attribute = stated.attributes[0]
    assert dict(zip(attribute.values, attribute.target, strict=True)) == {
        "man": 0.5, "woman": 0.4, "neutral": 0.1,
    }  # fmt: skip
    assert stated.target == "t.yaml"
    for text, said in (
        ("gender: {man: 0.5, woman: 0.5}", "no share above 0 for neutral"),
        ("gender: {man: 0.5, woman: 0.4, neutral: 0.2}", "sum to 1.1, not 1"),
        ("age: {old: 1}", "nothing is stated; there is age"),
        ("gender: [man]", "not a mapping"),
        ("gender: {man: much}", "no share from 0 to 1"),
        ("{", "not readable"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=said):
            analyse_parity(bundle, attributes=["gender"], target=read_target(str(path)))
    with pytest.raises(InputError, match="neither dataset nor uniform nor a file"):
        read_target(str(tmp_path / "nowhere"))


def test_what_cannot_be_measured_is_said(bundle: Bundle, tmp_path: Path) -> None:
    """No such attribute, one value only, a k beyond the places, a bundle without attributes."""
    with pytest.raises(InputError, match=r"no attribute 'x'; it has .*gender"):
        analyse_parity(bundle, attributes=["x"])
    with pytest.raises(InputError, match="k is 51; the rankings hold 50"):
        analyse_parity(bundle, attributes=["gender"], k=51)
    bare = open_bundle(small_bundle(tmp_path, dataset="bare"))
    cleared = replace(bare)
    cleared.__dict__["attribute_codes"] = {}
    with pytest.raises(InputError, match="says nothing of whom its images show"):
        analyse_parity(cleared)
    bare.close()


def test_one_query_has_no_interval(path: Path, bundle: Bundle) -> None:
    """Its value and its permutation test stand; nothing tells how queries differ."""
    lone = replace(bundle, queries=bundle.queries[:1])
    found = analyse_parity(lone, attributes=["gender"], permutations=99)
    estimate = one(found, "max_skew", "skewed")
    assert (estimate.low, estimate.n_clusters) == (None, 1)
    assert estimate.p is not None
    assert any("one query has no interval" in note for note in found.result.notes)


def votes(bundle: Bundle, gender: Parity, *, effect: float, n: int = 2000) -> VoteColumns:
    """Voters who choose by MaxSkew of what is shown: log odds ``effect`` per unit."""
    rng = np.random.default_rng(3)
    attribute = gender.attributes[0]
    skew = np.array(
        [
            [
                max_skew([attribute.codes[bundle.ranking(m, q)[:10]]], attribute.target, k=10)[0]
                for q in QUERIES
            ]
            for m in bundle.models
        ]
    )
    left = rng.integers(0, 2, n)
    query = rng.integers(0, len(QUERIES), n)
    gap = skew[1 - left, query] - skew[left, query]
    taste = rng.normal(0, 0.2, 40)
    voter = rng.integers(0, 40, n)
    chance = 1 / (1 + np.exp(-(0.3 + effect * gap + taste[voter])))
    choice = np.where(rng.random(n) < chance, RIGHT, LEFT)
    choice[rng.random(n) < 0.1] = TIE
    return VoteColumns(
        models=bundle.models, left=left.astype(np.int32), right=(1 - left).astype(np.int32),
        choice=choice.astype(np.int8), voters=tuple(map(str, range(40))),
        voter=voter.astype(np.int32), queries=QUERIES, query=query.astype(np.int32),
        datasets=("drawn",), dataset=np.zeros(n, np.int32), sessions=(),
        session=np.full(n, -1, np.int32), profiles=({},) * 40, kind=np.zeros(n, np.int8),
        at=np.arange(n, dtype=np.float64), battle=tuple(map(str, range(n))),
    )  # fmt: skip


def test_votes_that_follow_parity_are_seen(bundle: Bundle, gender: Parity) -> None:
    """Planted log odds of -1.5 per unit of MaxSkew are inside the interval, 0 is not; where votes
    ignore parity, 0 is inside. A side effect does not get in the way."""
    found = votes_follow(votes(bundle, gender, effect=-1.5), bundle, gender)
    (estimate,) = found.estimates
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.low < -1.5 < estimate.high < 0
    assert (estimate.cluster, estimate.n_clusters) == ("voter", 40)
    (accounting,) = found.accounting
    assert accounting.asked == 2000
    assert accounting.answered + accounting.refused == 2000
    (none,) = votes_follow(votes(bundle, gender, effect=0.0), bundle, gender).estimates
    assert none.low is not None
    assert none.high is not None
    assert none.low < 0 < none.high


def test_votes_that_do_not_tell_are_said(bundle: Bundle, gender: Parity) -> None:
    """On another dataset, or all ties: a sentence, never a number."""
    cast = votes(bundle, gender, effect=0.0, n=60)
    with pytest.raises(InputError, match="no vote on dataset 'drawn'; there are votes on other"):
        votes_follow(replace(cast, datasets=("other",)), bundle, gender)
    ties = replace(cast, choice=np.full(60, TIE, np.int8))
    found = votes_follow(ties, bundle, gender)
    assert found.estimates == ()
    assert any("no vote chose a side" in note for note in found.notes)
    unknown = replace(cast, queries=tuple(f"open {q}" for q in QUERIES))
    assert votes_follow(unknown, bundle, gender).accounting[0].failed == 60


def test_the_report_says_chance_and_votes(bundle: Bundle, gender: Parity) -> None:
    """Every model with its interval and chance beside it, and how not to read it."""
    follow = votes_follow(votes(bundle, gender, effect=-1.5), bundle, gender)
    page = markdown(parity_report(gender, follow))
    for text in ("Whom the models show first", "by chance", "Do votes follow parity?", "skewed"):
        assert text in page


@pytest.mark.slow
def test_the_report_is_drawn(bundle: Bundle, gender: Parity, tmp_path: Path) -> None:
    """As one page with its pictures, each with words in its place."""
    follow = votes_follow(votes(bundle, gender, effect=-1.5), bundle, gender)
    page = write(parity_report(gender, follow), tmp_path)["html"].read_text(encoding="utf-8")
    assert page.count("<svg") >= 4


def test_the_command_prints_tables_and_the_record(path: Path) -> None:
    """``evenhand arena parity FILE``: models beside each other, or the one record."""
    options.early.json = False  # what an earlier command in this process was given
    app = typer.Typer()
    arena_parity.register(app)
    asked = [str(path), "--attribute", "skin", "--permutations", "99"]
    told = CliRunner().invoke(app, asked)
    assert told.exit_code == 0, told.output
    assert "shares shown" in told.output
    record = CliRunner().invoke(app, [*asked, "--json"])
    names = {e["name"] for e in json.loads(record.stdout)["estimates"]}
    assert {"representation", "max_skew", "ndkl", "max_skew_by_chance"} <= names
    wrong = CliRunner().invoke(app, [*asked, "--k", "0"])
    assert isinstance(wrong.exception, EvenhandError)


def test_ln_two_is_twice_as_often() -> None:
    """The words of the report: a skew of 0.69 is twice the share."""
    assert max_skew([[0, 0, 0, 0]], [0.5, 0.5], k=4)[0] == pytest.approx(math.log(2))
