"""``evenhand counterfactual generate``, ``qc`` and ``blend``: images made from others, and checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenhand.cli import options

if TYPE_CHECKING:
    from evenhand.counterfactual.generator.config import GeneratorConfig
    from evenhand.counterfactual.generator.producing import Work
    from evenhand.counterfactual.generator.quality import Distance, Thresholds, Verdict
    from evenhand.counterfactual.pairs.manifest import ManifestPair

__all__ = ["register"]

Weights = Annotated[
    Path | None,
    typer.Option(
        "--lpips-weights",
        metavar="FILE",
        help="AlexNet's weights (.safetensors, or torchvision's .pth); without them LPIPS is not "
        "measured, and nothing passes.",
    ),
]

Lora = Annotated[
    Path | None, typer.Option("--lora", metavar="FILE", help="LoRA weights, safetensors.")
]
Config = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Settings, YAML.")]
Edits = Annotated[
    list[str] | None,
    typer.Option("--edit", metavar="EDIT", help="Only this edit; give it again for more."),
]
Masks = Annotated[
    Path | None,
    typer.Option(
        "--masks",
        metavar="PATH",
        help="Masks by source id, white where the source is laid back; a file for one source.",
    ),
]
Seed = Annotated[
    int | None,
    typer.Option("--seed", min=0, help="In place of the config's.", show_default=False),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="auto|cpu|cuda",
        help="In place of the config's.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the verbs ``generate``, ``qc`` and ``blend``."""
    app.command("generate")(generate)
    app.command("qc")(qc)
    app.command("blend")(blend)


def generate(
    source: Annotated[
        Path | None,
        typer.Option(
            "--source", metavar="PATH", help="An image, or a folder of ID.png or ID/source.png."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="Holds SOURCE/EDIT.png and how it was made."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="DIR",
            help="Stable Diffusion 1.5 in Diffusers' layout; in place of the config's base_model.",
            show_default=False,
        ),
    ] = None,
    lora: Lora = None,
    config: Config = None,
    edit: Edits = None,
    masks: Masks = None,
    seed: Seed = None,
    device: Device = None,
    allow_download: Annotated[
        bool, typer.Option("--allow-download", help="Fetch the model from the Hugging Face hub.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Print settings, thresholds and prompts as JSON; no extra needed."
        ),
    ] = False,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Make edited images with Stable Diffusion. For research: no patient, no diagnosis.

    Images that are there already, made in the same way, are kept; so it can be interrupted.
    """
    from evenhand.counterfactual.generator.config import GeneratorConfig, read_config
    from evenhand.counterfactual.generator.config import dry_run as told
    from evenhand.counterfactual.generator.producing import images_in, plan

    as_json = options.wants_json(json)
    given: dict[str, Any] = {"base_model": model, "seed": seed, "device": device}
    settings = replace(
        read_config(config) if config is not None else GeneratorConfig(),
        **{name: value for name, value in given.items() if value is not None},
    )
    work = None
    if source is not None:
        sources = images_in(source)
        by_id = _masks(masks, sources)
        work = plan(sources, settings, edits=edit or (), masks=by_id)
    if dry_run:
        images = None if work is None else sum(len(item.edits) for item in work)
        options.print_json({**told(settings), "images": images})
        return
    if work is None or output is None:
        from evenhand.errors import InputError

        raise InputError("both are needed, except with --dry-run", where="--source, --output")
    _generate(work, settings, output, lora, allow_download, as_json)


def _masks(path: Path | None, sources: Mapping[str, Path]) -> Mapping[str, Path] | None:
    """Masks by source id; a single file belongs to the single source."""
    from evenhand.counterfactual.generator.producing import images_in

    if path is None:
        return None
    if path.is_file() and len(sources) == 1:
        return dict.fromkeys(sources, path)
    return images_in(path)


def _generate(
    work: Sequence[Work],
    settings: GeneratorConfig,
    output: Path,
    lora: Path | None,
    allow_download: bool,
    as_json: bool,
) -> None:
    from evenhand.counterfactual.generator.config import NOTICE
    from evenhand.counterfactual.generator.diffusion import load_drawer
    from evenhand.counterfactual.generator.producing import generate, write_table

    drawer = load_drawer(settings, lora=lora, allow_download=allow_download)
    made = []
    for one in generate(work, drawer, output):
        made.append(one)
        if not as_json:
            print(f"{one.image}{' (kept)' if one.skipped else ''}", flush=True)
    table = write_table(made, output)
    kept = sum(one.skipped for one in made)
    if as_json:
        said = {"table": str(table), "made": len(made) - kept, "kept": kept, "notice": NOTICE}
        options.print_json(said)
        return
    print(f"{len(made) - kept:,} made, {kept:,} kept; {table}")
    options.note(NOTICE)


def qc(
    source: Annotated[
        Path | None, typer.Option("--source", metavar="FILE", help="The source image.")
    ] = None,
    generated: Annotated[
        Path | None, typer.Option("--generated", metavar="FILE", help="The image made from it.")
    ] = None,
    pairs: Annotated[
        Path | None, typer.Option("--pairs", metavar="FILE", help="Every pair of this manifest.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write one JSON line a pair.")
    ] = None,
    passed: Annotated[
        Path | None,
        typer.Option(
            "--passed", metavar="FILE", help="Write a manifest of the pairs that passed."
        ),
    ] = None,
    thresholds: Annotated[
        str,
        typer.Option(
            "--thresholds",
            metavar="NAME=X,…",
            help="Others than ssim=0.70,edge_preservation=0.276,lpips=0.40; windowed_ssim is "
            "asked for where given.",
        ),
    ] = "",
    lpips_weights: Weights = None,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Check that edited images still show what their sources show; exit 1 where one does not pass."""
    from evenhand.counterfactual.generator.quality import Thresholds

    as_json = options.wants_json(json)
    limits = Thresholds.parsed(thresholds)
    verdicts = _verdicts(
        _chosen(source, generated, pairs, passed), limits, _distance(lpips_weights)
    )
    good, bad = 0, 0
    with _Lines(output, as_json, limits) as lines:
        kept = []
        for verdict in verdicts:
            lines.say(verdict)
            good, bad = good + verdict.passed, bad + (not verdict.passed)
            if passed is not None and verdict.passed and verdict.pair is not None:
                kept.append(verdict.pair)
    if passed is not None:
        from evenhand.counterfactual.pairs.manifest import write_manifest

        write_manifest(kept, passed)
    if not as_json:
        print(f"{good:,} of {good + bad:,} passed")
    if bad:
        raise typer.Exit(1)


def blend(
    generated: Annotated[
        Path, typer.Option("--generated", metavar="FILE", help="The image made from the source.")
    ],
    source: Annotated[Path, typer.Option("--source", metavar="FILE", help="The source image.")],
    mask: Annotated[
        Path,
        typer.Option(
            "--mask", metavar="FILE", help="White where the source comes back, black elsewhere."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", metavar="FILE", help="The PNG to write.")],
    amount: Annotated[
        float, typer.Option("--amount", min=0, max=1, help="How much of the source comes back.")
    ] = 0.7,
    rethreshold: Annotated[
        bool,
        typer.Option(
            "--rethreshold",
            help="Cut a mask of another size at half again after it was resized (ours).",
        ),
    ] = False,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Lay the source back into a generated image where a mask is white."""
    from evenhand.counterfactual.generator.blending import blend_files

    as_json = options.wants_json(json)
    said = blend_files(generated, source, mask, output, amount=amount, rethreshold=rethreshold)
    if as_json:
        options.print_json(said)
    else:
        print(f"{output}: {said['mask_share']:.1%} of the image is in the mask")


def _distance(weights: Path | None) -> Distance | None:
    if weights is None:
        return None
    from evenhand.counterfactual.generator.lpips import load_lpips

    return load_lpips(weights)


def _chosen(
    source: Path | None, generated: Path | None, pairs: Path | None, passed: Path | None
) -> tuple[Path, Path] | Sequence[ManifestPair]:
    """What the options name: two files, or the pairs of a manifest."""
    from evenhand.counterfactual.pairs.bundle import check_above
    from evenhand.counterfactual.pairs.manifest import read_manifest
    from evenhand.errors import InputError

    if pairs is not None and source is None and generated is None:
        found = read_manifest(pairs).pairs
        if passed is not None:
            check_above(found, passed)
        return found
    if pairs is None and source is not None and generated is not None:
        if passed is not None:
            raise InputError("goes with --pairs only", where="--passed")
        return source, generated
    raise InputError(
        "give --pairs alone, or --source and --generated", where="--pairs, --source, --generated"
    )


def _verdicts(
    chosen: tuple[Path, Path] | Sequence[ManifestPair],
    limits: Thresholds,
    lpips: Distance | None,
) -> Iterable[Verdict]:
    from evenhand.counterfactual.generator.quality import check_image, check_pairs

    match chosen:
        case (Path() as source, Path() as generated):
            return [check_image(source, generated, thresholds=limits, lpips=lpips)]
        case _:
            return check_pairs(chosen, thresholds=limits, lpips=lpips)


class _Lines:
    """Verdicts as they come: JSON lines to a file, lines or JSON lines to stdout."""

    def __init__(self, output: Path | None, as_json: bool, limits: Thresholds) -> None:
        from contextlib import ExitStack

        self._output = output
        self._as_json = as_json
        self._limits = limits
        self._stack = ExitStack()
        self._file: Any = None

    def __enter__(self) -> _Lines:
        if self._output is not None:
            from evenhand.runs.export import whole_file

            self._file = self._stack.enter_context(whole_file(self._output))
        return self

    def __exit__(self, *raised: Any) -> None:
        self._stack.__exit__(*raised)

    def say(self, verdict: Verdict) -> None:
        """One line in each place."""
        import sys

        import orjson

        row = orjson.dumps(verdict.as_record(self._limits), option=orjson.OPT_APPEND_NEWLINE)
        if self._file is not None:
            self._file.write(row)
        if self._as_json:
            sys.stdout.buffer.write(row)
            return
        name = verdict.pair.pair_id if verdict.pair is not None else str(verdict.generated)
        figures = " ".join(_figures(verdict))
        print(f"{'pass' if verdict.passed else 'FAIL'}  {name}  {figures}".rstrip())
        for sentence in verdict.failed:
            print(f"      {sentence}")


def _figures(verdict: Verdict) -> Iterator[str]:
    for name, value in verdict.measured.items():
        yield f"{name} {'not measured' if value is None else format(value, '.4f')}"
