"""What a simulated voter can tell of a side from the bundle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from evenhand.arena.bundles.bundle import Bundle
from evenhand.arena.bundles.reading import open_bundle
from evenhand.arena.voters.eyes import Eyes
from evenhand.errors import InputError, NotFound
from support.bundles import small_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Iterator[Bundle]:
    """A small bundle, open."""
    found = open_bundle(small_bundle(tmp_path))
    yield found
    found.close()


def test_a_ranking_tells_its_model(bundle: Bundle):
    """The images of a side, in their order, name the one model that ranked them."""
    eyes = Eyes(bundle)
    for query in bundle.queries:
        for model in bundle.models:
            images = tuple(bundle.ranking(model, query)[:20].tolist())
            assert eyes.sources(query, images) == (model,)


def test_what_no_model_ranked_is_unknown(bundle: Bundle):
    """A side in an order of nobody, and an open query, name no model."""
    eyes = Eyes(bundle)
    assert eyes.sources(bundle.queries[0], (5, 4, 3, 2, 1, 0)) == ()
    assert eyes.sources("something else", (1, 2)) == ()


def test_max_skew_is_that_of_the_most_favoured_value(bundle: Bundle):
    """ln of the largest ratio of a share shown to the share in all; 0 when they agree."""
    values = bundle.attributes["gender"]
    eyes = Eyes(bundle, attribute="gender", k=8)
    women = np.flatnonzero(values == "woman")
    known = values[values != ""]
    assert eyes.max_skew(women[:8]) == pytest.approx(-np.log((known == "woman").mean()))
    whole = Eyes(bundle, attribute="gender", k=len(values))
    assert whole.max_skew(range(len(values))) == pytest.approx(0.0)


def test_only_the_first_screen_is_judged(bundle: Bundle):
    """Images beyond the first k change nothing."""
    eyes = Eyes(bundle, attribute="gender", k=4)
    assert eyes.max_skew((1, 2, 3, 4)) == eyes.max_skew((1, 2, 3, 4, 9, 10, 11))


def test_another_bundle_than_the_arena_shows_is_refused(bundle: Bundle):
    """The sentence names both versions."""
    with pytest.raises(InputError, match=f"the bundle is tiny {bundle.version}"):
        Eyes(bundle).check("tiny", "0" * 12)
    Eyes(bundle).check("tiny", bundle.version)


def test_an_unknown_attribute_is_refused(bundle: Bundle):
    """The sentence lists what the bundle has."""
    with pytest.raises(NotFound, match="'height'; the bundle has .*gender"):
        Eyes(bundle, attribute="height")
