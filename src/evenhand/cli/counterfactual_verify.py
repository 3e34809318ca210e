"""``evenhand counterfactual verify``: check a released artifact bundle, one line per finding."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenhand.cli import options

if TYPE_CHECKING:
    from evenhand.counterfactual.verify.lines import Checked

__all__ = ["app", "register"]

app = typer.Typer(
    no_args_is_help=True,
    help="Check a released artifact bundle: identity, files, figures. Exit code 1: it does not hold.",
)


class StreamName(StrEnum):
    """Which random numbers the bootstrap draws."""

    stdlib = "stdlib"
    pcg64 = "pcg64"


class VariantName(StrEnum):
    """Which published archive."""

    anonymous = "anonymous"
    personal = "personal"


Artifacts = Annotated[
    Path,
    typer.Option(
        "--artifacts", "--root", metavar="DIR", help="The bundle's folder (it holds artifacts/)."
    ),
]
Model = Annotated[
    str, typer.Option("--model", metavar="NAME", help="A model of the panels, or all.")
]
RegistryName = Annotated[
    str, typer.Option("--registry", metavar="NAME", help="Categories: a shipped name or a file.")
]
OwnRelease = Annotated[
    bool,
    typer.Option(
        "--own-release", help="Check the bundle against itself, not against the published figures."
    ),
]
RecomputeCi = Annotated[
    bool, typer.Option("--recompute-ci", help="Compute the 95% intervals again and compare them.")
]
Iterations = Annotated[
    int, typer.Option("--bootstrap-iterations", min=1, help="Replicates of the bootstrap.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of the bootstrap.")]
StreamOption = Annotated[
    StreamName,
    typer.Option("--stream", help="Random numbers; intervals of stdlib are told, not compared."),
]
Variant = Annotated[
    VariantName, typer.Option("--archive-variant", help="Which published archive this is.")
]
ReleaseManifest = Annotated[
    Path | None,
    typer.Option(
        "--release-manifest",
        metavar="FILE",
        help="The release's own pins; else release_manifest.json beside the bundle, if there.",
        show_default=False,
    ),
]
Supplement = Annotated[
    Path | None,
    typer.Option(
        "--supplement",
        metavar="FILE",
        help="The follow-up supplement; else the one beside the bundle.",
        show_default=False,
    ),
]
Prompts = Annotated[
    Path | None,
    typer.Option(
        "--prompts",
        metavar="FILE",
        help="JSON with the public prompt_registry; else the one beside the bundle, else hashes.",
        show_default=False,
    ),
]

HERE = Path("artifacts")
"""Where a bundle lies after the published archive was unpacked."""


def register(parent: typer.Typer) -> None:
    """Attach the noun ``verify``."""
    parent.add_typer(app, name="verify")


@app.command()
def inspect(
    artifacts: Artifacts = HERE,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Are the files of the layout there? Presence only, with the counts that they name."""
    _run("inspect", artifacts, json)


@app.command()
def dataset(
    artifacts: Artifacts = HERE,
    registry: RegistryName = "spine",
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Do rows, images, sizes and mappings of the data set agree?"""
    _run("dataset", artifacts, json, registry=registry)


@app.command()
def checksums(
    manifest: Annotated[
        Path | None,
        typer.Argument(
            help="A checksum manifest; else the bundle's SHA256SUMS.txt.", show_default=False
        ),
    ] = None,
    artifacts: Artifacts = HERE,
    write: Annotated[
        bool, typer.Option("--write", help="Write the manifest of a release of your own.")
    ] = False,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Does every listed file have its SHA-256? Paths that lead out, links and doubles are refused.

    Example: evenhand counterfactual verify checksums artifacts/SHA256SUMS.txt
    """
    if write:
        _write(manifest or artifacts / "SHA256SUMS.txt", json)
        return
    if manifest is not None:
        # A manifest stands for itself: its paths start from its own folder, not from a bundle.
        artifacts = Path()
    _run("checksums", artifacts, json, manifest=manifest, progress=_progress())


@app.command("parse-sample")
def parse_sample(
    artifacts: Artifacts = HERE,
    model: Model = "all",
    registry: RegistryName = "spine",
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """What is read in the first usable pair of a model."""
    _run("parse-sample", artifacts, json, model=model, registry=registry)


@app.command("diagnostic-scoring")
def diagnostic_scoring(
    registry: RegistryName = "spine",
    artifacts: Annotated[
        Path | None, typer.Option("--artifacts", help="Not needed.", hidden=True)
    ] = None,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """How diagnostic labels are scored. Needs no bundle."""
    _run("diagnostic-scoring", artifacts or Path(), json, registry=registry)


@app.command()
def table2(
    artifacts: Artifacts = HERE,
    model: Model = "all",
    recompute_ci: RecomputeCi = False,
    bootstrap_iterations: Iterations = 10_000,
    seed: Seed = 42,
    stream: StreamOption = StreamName.pcg64,
    registry: RegistryName = "spine",
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Compute the primary endpoints again and compare them with the frozen summary, to 1e-12.

    Example: evenhand counterfactual verify table2 --artifacts artifacts --model gpt-5.4
    """
    recompute = _recomputation(bootstrap_iterations, seed, stream) if recompute_ci else None
    _run("table2", artifacts, json, model=model, recompute=recompute, registry=registry)


# What the table was called once.
app.command("table3", hidden=True)(table2)


@app.command("gap-sensitivity")
def gap_sensitivity(
    artifacts: Artifacts = HERE,
    model: Model = "all",
    registry: RegistryName = "spine",
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Consistency of labels minus stability of recommendations, exact and graded."""
    _run("gap-sensitivity", artifacts, json, model=model, registry=registry)


@app.command("both-empty-diagnostic")
def both_empty_diagnostic(
    artifacts: Artifacts = HERE,
    model: Model = "all",
    registry: RegistryName = "spine",
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """How many usable pairs have no diagnostic label in either report."""
    _run("both-empty-diagnostic", artifacts, json, model=model, registry=registry)


@app.command("stage1-confidence")
def stage1_confidence(
    artifacts: Artifacts = HERE,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Compute the stage-1 gate again from the sampled files."""
    _run("stage1-confidence", artifacts, json)


@app.command()
def mitigation(
    artifacts: Artifacts = HERE,
    own_release: OwnRelease = False,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """The mitigation table's arithmetic, the binding rule, and whom the gate excludes."""
    _run("mitigation", artifacts, json, own_release=own_release)


@app.command()
def radiologist(
    artifacts: Artifacts = HERE,
    own_release: OwnRelease = False,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """The readers' majority rule and counts, and how far readers agree."""
    _run("radiologist", artifacts, json, own_release=own_release)


@app.command()
def followup(
    artifacts: Artifacts = HERE,
    supplement: Supplement = None,
    release_manifest: ReleaseManifest = None,
    own_release: OwnRelease = False,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """The follow-up supplement's hash, models, source accounting and arithmetic."""
    _run(
        "followup",
        artifacts,
        json,
        supplement=supplement,
        release=release_manifest,
        own_release=own_release,
    )


@app.command("release-identity")
def release_identity(
    artifacts: Artifacts = HERE,
    archive_variant: Variant = VariantName.anonymous,
    release_manifest: ReleaseManifest = None,
    prompts: Prompts = None,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """The hashes that pin the release, and its frozen prompts."""
    _run(
        "release-identity",
        artifacts,
        json,
        variant=archive_variant.value,
        release=release_manifest,
        prompts=prompts,
    )


@app.command("all")
def everything(
    artifacts: Artifacts = HERE,
    recompute_ci: RecomputeCi = False,
    archive_variant: Variant = VariantName.anonymous,
    own_release: OwnRelease = False,
    release_manifest: ReleaseManifest = None,
    supplement: Supplement = None,
    prompts: Prompts = None,
    registry: RegistryName = "spine",
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Run every check in turn and sum up.

    Example: evenhand counterfactual verify all --artifacts artifacts
    """
    from evenhand.counterfactual.verify.bundle import Bundle
    from evenhand.counterfactual.verify.checks import Settings, run_checks

    as_json = options.wants_json(json)
    settings = Settings(
        recompute=_recomputation(10_000, 42, StreamName.pcg64) if recompute_ci else None,
        variant=archive_variant.value,
        own_release=own_release,
        release=release_manifest,
        supplement=supplement,
        prompts=prompts,
        registry=registry,
        progress=_progress(),
    )
    done = []
    for checked in run_checks(Bundle(artifacts), settings):
        done.append(checked)
        if not as_json:
            print(f"== {checked.check}")
            _print_lines(checked)
    _sum_up(done, as_json)


def _run(check: str, artifacts: Path, json: bool, **settings: Any) -> None:
    """Run one check, print what it says, and leave with 1 if it does not hold."""
    from evenhand.counterfactual.verify.bundle import Bundle
    from evenhand.counterfactual.verify.checks import Settings, run_check

    as_json = options.wants_json(json)
    checked = run_check(check, Bundle(artifacts), Settings(**settings))
    if as_json:
        options.print_json(checked.as_json())
    else:
        _print_lines(checked)
    if not checked.ok:
        options.note(f"evenhand: {_why(checked)}")
        raise typer.Exit(1)


def _sum_up(done: list[Checked], as_json: bool) -> None:
    """One line per check, and 1 as exit code when one does not hold."""
    failed = [checked for checked in done if not checked.ok]
    if as_json:
        options.print_json(
            {
                "check": "all",
                "ok": not failed,
                "lines": [{"text": _verdict(checked), "ok": checked.ok} for checked in done],
                "checks": [checked.as_json() for checked in done],
            }
        )
    else:
        print("== all")
        for checked in done:
            print(_verdict(checked))
    if failed:
        names = ", ".join(checked.check for checked in failed)
        options.note(f"evenhand: {len(failed)} of {len(done)} checks do not hold: {names}")
        raise typer.Exit(1)


def _verdict(checked: Checked) -> str:
    return f"{checked.check}: OK" if checked.ok else f"FAILED {_why(checked)}"


def _why(checked: Checked) -> str:
    first, *others = checked.failed
    more = f" (and {len(others)} more)" if others else ""
    return f"{checked.check} does not hold: {first}{more}"


def _print_lines(checked: Checked) -> None:
    for line in checked.lines:
        print(line.text if line.ok else f"FAILED {line.text}")


def _recomputation(iterations: int, seed: int, stream: StreamName) -> Any:
    from evenhand.counterfactual.verify.tables import Recomputation

    return Recomputation(iterations=iterations, seed=seed, stream=stream.value)


def _write(manifest: Path, json: bool) -> None:
    from evenhand.counterfactual.verify.checksums import write_manifest

    as_json = options.wants_json(json)
    count = write_manifest(manifest.parent, manifest)
    if as_json:
        options.print_json({"manifest": str(manifest), "files": count})
    else:
        options.note(f"{count:,} files listed in {manifest}")


def _progress() -> Callable[[int, int], None] | None:
    """A count on a terminal; nothing elsewhere."""
    import sys

    if not sys.stderr.isatty():
        return None

    def tell(done: int, total: int) -> None:
        end = "\r\x1b[K" if done == total else ""
        print(f"\r{done:,} of {total:,} files hashed{end}", end="", file=sys.stderr, flush=True)

    return tell
