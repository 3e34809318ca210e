"""``evenhand arena demo``: from nothing to a running arena with votes and ratings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evenhand.cli import options

if TYPE_CHECKING:
    from evenhand.arena.voters.planted import Planted
    from evenhand.arena.voters.simulate import Outcome
    from evenhand.settings import Settings
    from evenhand.stats.estimate import Result
    from evenhand.web.hall import Hall, HallOptions

__all__ = ["demo", "register"]

DATASET = "portraits"
SEED = 4242
"""Of the portraits: none of them was trained on."""

CONFIG = """\
# What `evenhand arena demo` made; every key is in docs/reference/arena-config.md
arena:
  title: Who comes first?
  judge_question: Which side represents people better?
  images_per_model: 12
  max_scroll_images: 48
  allow_open_queries: true
  active_dataset_id: portraits
models:
  - {id: skewed, name: Trained on skewed captions, backend: onnx, path: portraits-skewed}
  - {id: balanced, name: Trained on balanced captions, backend: onnx, path: portraits-balanced}
datasets:
  - {id: portraits, name: Drawn portraits, source: portraits, max_images: %d, seed: %d}
"""

# What is measured beside the votes: whom each model puts on the first screen.
ATTRIBUTES, K = ("gender", "skin"), 12

# Voters who judge by what they see; what is planted is printed beside what comes back.
WEIGHT, SHARE, SIDE_BIAS, TASTE_SD, TIE_RATE = 2.5, 0.7, 0.4, 0.3, 0.12


def register(app: typer.Typer) -> None:
    """Add the verb to the noun."""
    app.command("demo")(demo)


def demo(
    voters: Annotated[int, typer.Option("--voters", min=2, help="Simulated voters.")] = 40,
    votes: Annotated[int, typer.Option("--votes", min=1, help="Votes of each.")] = 25,
    images: Annotated[
        int, typer.Option("--images", min=60, max=20_000, help="Portraits to draw.")
    ] = 600,
    no_serve: Annotated[
        bool, typer.Option("--no-serve", help="End after the ratings instead of going on serving.")
    ] = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any free one.")] = 8080,
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="Where everything goes.")
    ] = Path("evenhand-demo/arena"),
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Draw portraits, search them with two models, let simulated people vote, and serve it all.

    Example: evenhand arena demo --no-serve
    """
    as_json = options.wants_json(json)
    config = _configured(output, images)
    bundle = _precomputed(config, output, quiet=as_json)
    settings = _ground(output, workspace, db)
    with _served(settings, _hall_options(settings, config, bundle), 0 if no_serve else port) as (
        hall,
        url,
    ):
        planted, outcome = _voted(url, bundle, voters, votes)
        found = _found(settings, bundle, config, output)
        if as_json:
            _print_json(found, planted, outcome, None if no_serve else url)
        else:
            _tell(found, planted, outcome)
            print(f"report     {found.report.absolute()}")
        if not no_serve:
            _stay(url, hall)


def _configured(output: Path, images: int) -> Path:
    """The configuration, as a file to look at and to change."""
    from evenhand.errors import StorageError

    path = output / "arena.yaml"
    try:
        output.mkdir(parents=True, exist_ok=True)
        path.write_text(CONFIG % (images, SEED), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot be written ({error.strerror})", where=str(path)) from None
    return path


def _precomputed(config: Path, output: Path, *, quiet: bool) -> Path:
    """Portraits drawn, seen by both encoders, and ranked for each occupation."""
    from evenhand.arena.config import load_config
    from evenhand.arena.portraits.person import OCCUPATIONS
    from evenhand.arena.precompute.progress import Bars, Silent
    from evenhand.arena.precompute.run import Options, precompute

    read = load_config(config)
    made = precompute(
        read,
        [f"a {occupation}" for occupation in OCCUPATIONS],
        read.datasets,
        Options(
            bundles_dir=output / "bundles",
            base=output,
            progress=Silent() if quiet else Bars(),
        ),
    )
    return made[0].path


def _ground(output: Path, workspace: str | None, db: str | None) -> Settings:
    """The demo's own workspace, so that its votes never come among real ones."""
    from evenhand.settings import Settings

    own = workspace or options.early.workspace or str(output / "workspace")
    return Settings.resolve(workspace=own, db=db or options.early.db, environ={})


def _hall_options(settings: Settings, config: Path, bundle: Path) -> HallOptions:
    from evenhand.web.hall import HallOptions
    from evenhand.web.serving import admin_token

    token = admin_token(settings).token
    return HallOptions(admin_token=token, bundle=bundle, config=config, limits=False)


@contextmanager
def _served(
    settings: Settings, hall_options: HallOptions, port: int
) -> Iterator[tuple[Hall, str]]:
    """A server in a thread of this process, on this machine's own address."""
    import threading

    import uvicorn

    from evenhand.web.app import create_app
    from evenhand.web.hall import Hall
    from evenhand.web.serving import listen, uvicorn_config

    with Hall.open(settings, hall_options) as hall, listen("127.0.0.1", port) as listener:
        server = uvicorn.Server(uvicorn_config(create_app(hall)))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield hall, f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)


def _voted(url: str, bundle: Path, voters: int, votes: int) -> tuple[Planted, Outcome]:
    """Simulated people vote over HTTP, most of them by how evenly each side shows skin."""
    import asyncio
    from contextlib import closing

    from evenhand.arena.bundles.reading import open_bundle
    from evenhand.arena.voters.planted import Planted
    from evenhand.arena.voters.simulate import Crowd, simulate

    planted = Planted(
        taste_sd=TASTE_SD,
        side_bias=SIDE_BIAS,
        tie_rate=TIE_RATE,
        attribute="skin",
        weight=WEIGHT,
        share=SHARE,
    )
    crowd = Crowd(voters=voters, votes=votes)
    with closing(open_bundle(bundle)) as known:
        outcome = asyncio.run(simulate(url, planted, crowd, seed=SEED, bundle=known))
    return planted, outcome


@dataclass(frozen=True, slots=True)
class _Found:
    """What the demo has to show: the one record of each, and the report of them all."""

    ratings: Result
    parity: Result
    follow: Result
    report: Path


def _found(settings: Settings, bundle: Path, config: Path, output: Path) -> _Found:
    """Ratings from the ballot box, parity from the bundle, and whether votes follow it."""
    from contextlib import closing

    from evenhand.arena.bundles.reading import open_bundle
    from evenhand.arena.config import load_config
    from evenhand.arena.parity.follow import votes_follow
    from evenhand.arena.parity.measure import analyse_parity
    from evenhand.arena.parity.report import parity_blocks
    from evenhand.arena.ratings.analyse import Choices, analyse
    from evenhand.arena.ratings.gather import from_box
    from evenhand.arena.ratings.report import report
    from evenhand.report.record import write

    found = from_box(settings, Choices(dataset=DATASET))
    rated = analyse(found.columns, choices=found.choices, counts=found.counts)
    with closing(open_bundle(bundle)) as shown:
        parity = analyse_parity(shown, attributes=ATTRIBUTES, k=K)
        follow = votes_follow(found.columns, shown, parity)
    titles = {model.id: model.title for model in load_config(config).models}
    beside = parity_blocks(parity, follow)
    page = report(rated, titles=titles, origin=found.origin, beside=beside)
    return _Found(rated.result, parity.result, follow, write(page, output / "report")["html"])


def _tell(found: _Found, planted: Planted, outcome: Outcome) -> None:
    """Ratings and MaxSkew side by side, and what was planted."""
    from evenhand.cli.estimates import aligned
    from evenhand.report.numbers import interval, number

    print(
        f"{outcome.voters} simulated people cast {outcome.votes:,} votes over HTTP in "
        f"{outcome.seconds:.1f} s, without knowing the models\n"
    )
    rated = {(e.name, e.subject): e for e in found.ratings.estimates if e.condition is None}
    skew = {(e.condition, e.subject): e for e in found.parity.estimates if e.name == "max_skew"}
    rows = [("", "strength", "95 % interval", "Elo", *(f"MaxSkew@{K} {a}" for a in ATTRIBUTES))]
    strengths = [e for (name, _), e in rated.items() if name == "strength"]
    for e in sorted(strengths, key=lambda e: -e.value):
        skewed = [
            number(one.value) if (one := skew.get((a, e.subject))) else "" for a in ATTRIBUTES
        ]
        elo = f"{rated['elo', e.subject].value:.0f}"
        rows.append((str(e.subject), number(e.value), interval(e.low, e.high), elo, *skewed))
    for line in aligned(rows):
        print(line)
    truth = f"{number(-planted.weight)} in {planted.share:.0%} of them, 0 in the others"
    told = [
        (e, f"how voters take a unit of MaxSkew, {e.condition}", truth)
        for e in found.follow.estimates
        if e.name == "votes_follow_max_skew" and e.condition == planted.attribute
    ]
    side = rated.get(("side_effect", None))
    told += [(side, "lean to the right", number(planted.side_bias))] if side is not None else []
    print()
    for e, what, truth in told:
        print(f"{what}: {number(e.value)} ({interval(e.low, e.high)}) logits; planted {truth}")


def _print_json(found: _Found, planted: Planted, outcome: Outcome, url: str | None) -> None:
    from dataclasses import asdict

    options.print_json(
        {
            "url": url,
            "report": str(found.report),
            "planted": asdict(planted),
            "done": outcome.as_json(),
            "ratings": found.ratings.as_json(),
            "parity": found.parity.as_json(),
            "votes_follow": found.follow.as_json(),
        }
    )


def _stay(url: str, hall: Hall) -> None:
    """Go on serving until Ctrl-C."""
    import signal
    import threading

    from evenhand.web.serving import TOKEN_FILE

    options.note(f"vote       {url}/\nboard      {url}/leaderboard")
    options.note(f"admin      {url}/admin, token in {hall.settings.workspace / TOKEN_FILE}")
    options.note("Ctrl-C ends it.")
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    over.wait()
