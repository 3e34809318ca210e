"""Open queries: the right dataset, off the event loop, once per question, in bounded memory."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evenhand.arena.bundles.bundle import Bundle
from evenhand.arena.bundles.contents import BundleContents
from evenhand.arena.bundles.layout import file_name
from evenhand.arena.bundles.reading import open_bundle
from evenhand.arena.bundles.shelf import Shelf
from evenhand.arena.bundles.write import write_bundle
from evenhand.arena.config import Rules
from evenhand.arena.search.exact import exact_similarities
from evenhand.arena.search.open_queries import Kept, OpenQueries
from evenhand.errors import Conflict, InputError, NotFound, TooMany
from evenhand.models.encoder import Embeddings
from evenhand.models.onnx_encoder import OnnxTextEncoder
from support.bundles import small_bundle, small_contents, small_text_encoder

RULES = Rules(allow_open_queries=True, max_scroll_images=10)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """Sixty images, two models with text encoders."""
    return open_bundle(small_bundle(tmp_path, models=2, text_encoder=True))


def truth(bundle: Bundle, model: str, query: str, n: int) -> list[int]:
    """A full sort of exact similarities."""
    encoder, rows = bundle.text_encoder(model), bundle.embeddings(model)
    assert encoder is not None
    assert rows is not None
    alike = exact_similarities(rows, encoder.encode_texts([query])[0])
    return np.argsort(-alike, kind="stable")[:n].tolist()


def test_the_answer_is_that_of_a_full_sort(bundle: Bundle) -> None:
    """Each model ranks by its own encoder, whatever the spelling of the query."""
    asked = OpenQueries(bundle, rules=RULES)
    found = asyncio.run(asked.rank("  An OLD Engineer ", ["m0", "m1"], 10))
    for model in ("m0", "m1"):
        assert found[model].tolist() == truth(bundle, model, "an old engineer", 10)
    assert found["m0"].tolist() != found["m1"].tolist()
    again = asked.rank_now("an old engineer", ["m0", "m1"], 7)
    assert again["m1"].tolist() == found["m1"].tolist()[:7]
    assert asked.stats()["searches"] == 2
    assert asked.stats()["hits"] == 2


def ranked_by_its_encoder(tmp_path: Path) -> BundleContents:
    """A bundle whose rankings were made with the text encoder that it brings."""
    contents = small_contents(models=1, n_images=80, text_encoder=True)
    (model,) = contents.models
    encoder = OnnxTextEncoder.of(small_text_encoder(0))
    queries = ("Smiling doctor", "an old nurse")
    made = encoder.encode_texts([query.casefold() for query in queries])
    return replace(contents, queries=queries, models=[replace(model, query_embeddings=made)])


def test_a_listed_and_a_typed_query_have_one_order(tmp_path: Path) -> None:
    """The bundle's ranking equals a search for the same words: one path, float16 rows in both
    (the reference ranked float32 rows in bundles, so near-ties changed places: B22)."""
    path = tmp_path / "b.npz"
    write_bundle(path, ranked_by_its_encoder(tmp_path))
    bundle = open_bundle(path)
    for query in bundle.queries:
        searched = OpenQueries(bundle, rules=RULES)._search("m0", query.casefold(), 50)
        assert searched.tolist() == bundle.ranking("m0", query).tolist()


def test_a_listed_query_in_another_case_is_the_listed_one(bundle: Bundle) -> None:
    """Typing a listed query gives the bundle's ranking without a search."""
    asked = OpenQueries(bundle, rules=RULES)
    found = asyncio.run(asked.rank("  DOCTOR", ["m0"], 10))
    assert found["m0"].tolist() == bundle.ranking("m0", "doctor")[:10].tolist()
    assert (asked.listed("Doctor "), asked.listed("plumber")) == ("doctor", None)
    assert asked.stats()["searches"] == 0


def test_an_answer_is_never_another_datasets(tmp_path: Path) -> None:
    """After a switch the same words are searched in the new dataset, and after a rebuild in the
    new version (the reference's cache knew neither: B3)."""
    for dataset, n in (("big", 60), ("small", 9)):
        small_bundle(tmp_path, dataset=dataset, n_images=n, models=1, text_encoder=True)
    shelf, kept = Shelf.of(tmp_path, active="big"), Kept()
    answers = []
    for dataset in ("big", "small", "big"):
        bundle = shelf.switch(dataset)
        asked = OpenQueries(bundle, rules=RULES, kept=kept)
        found = asked.rank_now("an engineer", ["m0"], 10)["m0"]
        assert found.tolist() == truth(bundle, "m0", "an engineer", 10)
        assert found.max() < bundle.n_images
        answers.append((found.tolist(), asked.stats()["searches"]))
    assert answers[0] == (answers[2][0], 1)
    assert answers[2][1] == 0  # kept from before
    path = tmp_path / file_name("big")
    write_bundle(path, small_contents(dataset="big", models=1, seed=5, text_encoder=True))
    rebuilt = shelf.switch("big")
    found = OpenQueries(rebuilt, rules=RULES, kept=kept).rank_now("an engineer", ["m0"], 10)["m0"]
    assert found.tolist() == truth(rebuilt, "m0", "an engineer", 10)
    assert found.tolist() != answers[0][0]


def test_indices_outlive_a_change_of_rules_and_not_of_the_dataset(tmp_path: Path) -> None:
    """Other rules search the same index; another dataset or memory makes its own, and the old one
    is let go of."""
    bundles = [
        open_bundle(small_bundle(tmp_path, dataset=d, models=2, n_images=20, text_encoder=True))
        for d in ("one", "two")
    ]
    kept = Kept()
    for bundle, rules, same in (
        (bundles[0], RULES, False),
        (bundles[0], RULES.model_copy(update={"max_query_length": 50}), True),
        (bundles[1], RULES, False),
        (bundles[1], RULES.model_copy(update={"index_memory_mb": 1}), False),
    ):
        before = list(kept._indices.values())
        asked = OpenQueries(bundle, rules=rules, kept=kept)
        assert asked._search("m0", "an engineer", 5).max() < 20
        assert (before == list(kept._indices.values())) is same


def test_what_is_kept_is_bounded(bundle: Bundle) -> None:
    """Of each dataset only so many queries are kept, only their first images, the oldest unused
    leave first (the reference kept every full ranking for ever: S6)."""
    asked = OpenQueries(bundle, rules=RULES.model_copy(update={"open_query_cache": 3}))
    for text in ("one", "two", "three", "one", "four"):
        asked.rank_now(text, ["m0"], 5)
    assert asked.stats()["kept"] == 3
    assert asked.kept.get(bundle, "m0", "two") is None
    ranking = asked.kept.get(bundle, "m0", "one")
    assert ranking is not None
    assert len(ranking) == 10
    assert ranking.base is None  # no view that holds a larger array


def test_more_images_than_are_kept_are_searched_for_again(bundle: Bundle) -> None:
    """A kept answer that is too short is not passed off as all there is."""
    asked = OpenQueries(bundle, rules=RULES)
    assert len(asked.rank_now("an engineer", ["m0"], 5)["m0"]) == 5
    deep = asked.rank_now("an engineer", ["m0"], 40)["m0"]
    assert deep.tolist() == truth(bundle, "m0", "an engineer", 40)
    assert len(asked.rank_now("an engineer", ["m0"], 900)["m0"]) == 60


def test_models_without_a_text_encoder_are_named(tmp_path: Path) -> None:
    """A model that cannot answer is named; its listed queries still work."""
    asked = OpenQueries(open_bundle(small_bundle(tmp_path, models=3)), rules=RULES)
    assert asked.models == ()
    with pytest.raises(Conflict, match="no text encoder of 'm0', 'm2'"):
        asyncio.run(asked.rank("an engineer", ["m0", "m2"], 5))
    assert len(asyncio.run(asked.rank("NURSE", ["m0", "m2"], 5))["m2"]) == 5
    with pytest.raises(NotFound, match="no model 'm7'"):
        asked.rank_now("nurse", ["m7"], 5)


def test_refused_queries_are_not_searched(bundle: Bundle) -> None:
    """Blocked, empty and long queries are refused before anything is encoded (S6)."""
    rules = RULES.model_copy(update={"blocked_words": ("awful",), "max_query_length": 20})
    asked = OpenQueries(bundle, rules=rules)
    for query in ("an AWFUL person", "  ", "x" * 21):
        with pytest.raises(InputError, match="query: "):
            asyncio.run(asked.rank(query, ["m0"], 5))
    assert asked.stats()["searches"] == 0


class Slow:
    """A text encoder that takes its time; it counts, and says on which thread it was called."""

    dim = 16

    def __init__(self, wait: threading.Event) -> None:
        self.wait, self.calls, self.threads = wait, 0, set[str]()

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """Wait, then answer."""
        self.calls += 1
        self.threads.add(threading.current_thread().name)
        assert self.wait.wait(10)
        return np.eye(1, 16, dtype=np.float32)


def test_the_event_loop_is_never_held_up(bundle: Bundle) -> None:
    """While an encoder works, the loop runs on; the same question asked ten times is encoded
    once (the reference encoded on the event loop: B16)."""
    wait = threading.Event()
    slow = Slow(wait)
    bundle._encoders["m0"] = slow
    asked = OpenQueries(bundle, rules=RULES)

    async def many() -> list[float]:
        """Ten who ask at once, and how long the loop stood still meanwhile."""
        tasks = [asyncio.create_task(asked.rank("An engineer", ["m0"], 5)) for _ in range(10)]
        gaps = []
        for _ in range(10):
            begun = time.perf_counter()
            await asyncio.sleep(0.005)
            gaps.append(time.perf_counter() - begun)
        tasks[0].cancel()  # one leaves; the others get their answer
        wait.set()
        answers = await asyncio.gather(*tasks[1:])
        assert len({tuple(answer["m0"].tolist()) for answer in answers}) == 1
        return gaps

    gaps = asyncio.run(many())
    assert sorted(gaps)[5] < 0.1
    assert slow.calls == 1
    assert all(name.startswith("open-queries") for name in slow.threads)


def test_too_many_searches_are_turned_away(bundle: Bundle) -> None:
    """A flood of different queries meets a bound, with the time to come back (S6)."""
    wait = threading.Event()
    bundle._encoders["m0"] = Slow(wait)
    asked = OpenQueries(bundle, rules=RULES)

    async def flood() -> list[object]:
        """Eighty different queries at once."""
        tasks = [asyncio.create_task(asked.rank(f"query {n}", ["m0"], 5)) for n in range(80)]
        await asyncio.sleep(0.01)
        wait.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = asyncio.run(flood())
    turned_away = [answer for answer in answers if isinstance(answer, TooMany)]
    assert 0 < len(turned_away) <= 16
    assert turned_away[0].retry_after_s > 0
    assert asked.stats()["waiting"] == 0


def test_a_broken_encoder_is_a_sentence_for_everybody_who_waits(tmp_path: Path) -> None:
    """A damaged text encoder raises our error, and the next query is tried anew."""
    contents = small_contents(models=1, text_encoder=True)
    (model,) = contents.models
    files = dict(model.text_encoder or {}) | {"text.onnx": b"no model"}
    write_bundle(
        tmp_path / "b.npz", replace(contents, models=[replace(model, text_encoder=files)])
    )
    asked = OpenQueries(open_bundle(tmp_path / "b.npz"), rules=RULES)
    for _ in range(2):
        with pytest.raises(InputError, match=r"text\.onnx"):
            asyncio.run(asked.rank("an engineer", ["m0"], 5))
