"""``evenhand arena serve``: the ballot, its pages and its admin on one port."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from evenhand.cli import options

if TYPE_CHECKING:
    from evenhand.web.hall import Hall
    from evenhand.web.serving import AdminToken

__all__ = ["register", "serve"]

BundlesDir = Annotated[
    Path | None,
    typer.Option(
        "--bundles-dir",
        metavar="DIR",
        help="Folder of bundles, one per dataset; else WORKSPACE/bundles.",
    ),
]
Bundle = Annotated[
    Path | None, typer.Option("--bundle", metavar="FILE", help="One bundle instead of a folder.")
]
Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Configuration, JSON or YAML."),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--admin-token-file",
        metavar="FILE",
        help="File with the admin token; else EVENHAND_ADMIN_TOKEN, else one is made.",
    ),
]
Proxy = Annotated[
    list[str] | None,
    typer.Option(
        "--proxy",
        metavar="ADDRESS",
        help="Address or network of a proxy whose X-Forwarded-For is believed; repeat for more.",
    ),
]


def register(app: typer.Typer) -> None:
    """Attach the verb."""
    app.command("serve")(serve)


def serve(
    bundles_dir: BundlesDir = None,
    bundle: Bundle = None,
    config: Config = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any free one.")] = 8080,
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=256, help="Processes; several need PostgreSQL.")
    ] = 1,
    durability: Annotated[
        str,
        typer.Option(
            "--durability",
            help="process: a vote survives kill -9; full: also a power cut, at a price in speed.",
        ),
    ] = "process",
    admin_token_file: TokenFile = None,
    proxy: Proxy = None,
    behind_https: Annotated[
        bool, typer.Option("--behind-https", help="Voters come over https; cookies are Secure.")
    ] = False,
    no_limits: Annotated[
        bool, typer.Option("--no-limits", help="Count no requests; for measuring.")
    ] = False,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Serve an arena: voting, leaderboard and admin pages, and the interface behind them."""
    as_json = options.wants_json(json)
    from evenhand.errors import InputError
    from evenhand.web.hall import HallOptions
    from evenhand.web.serving import admin_token, listen
    from evenhand.web.serving import serve as run

    if durability not in ("process", "full"):
        raise InputError(f"{durability!r} is neither process nor full", where="--durability")
    chosen: Literal["process", "full"] = "full" if durability == "full" else "process"
    settings = options.ground(workspace, db)
    if bundles_dir is None and bundle is None:
        bundles_dir = settings.workspace / "bundles"
    token = admin_token(settings, admin_token_file)
    hall_options = HallOptions(
        admin_token=token.token,
        bundles_dir=bundles_dir,
        bundle=bundle,
        config=config,
        durability=chosen,
        proxies=tuple(proxy or ()),
        behind_https=behind_https,
        limits=not no_limits,
    )
    with listen(host, port) as listener:
        where = _url(listener.getsockname())
        run(
            settings,
            hall_options,
            listener,
            workers=workers,
            ready=lambda hall: _tell(hall, where, token, host, as_json),
        )


def _url(name: Any) -> str:
    host, port = name[0], name[1]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}"


def _tell(hall: Hall, url: str, token: AdminToken, host: str, as_json: bool) -> None:
    """Say where everything is, once, before the first request."""
    notes = [*hall.notes(), *([token.note] if token.note else [])]
    if host not in ("127.0.0.1", "::1", "localhost") and not hall.options.behind_https:
        notes.append(
            "other machines can reach this server unencrypted; put a proxy with TLS in front of it"
        )
    bundle = hall.bundle
    said = {
        "url": url,
        "dataset": bundle.dataset,
        "n_images": bundle.n_images,
        "models": len(bundle.models),
        "database": hall.box.database.where,
        "durability": hall.options.durability,
        "admin_token": token.source,
        "notes": notes,
    }
    if as_json:
        options.print_json(said)
        return
    print(f"{hall.rules.title}: {url}/")
    print(f"  board   {url}/leaderboard")
    print(f"  admin   {url}/admin")
    print(f"  dataset {bundle.dataset}: {bundle.n_images:,} images, {len(bundle.models)} models")
    print(f"  votes   {hall.box.database.where} ({hall.options.durability})")
    if token.made:
        print(
            f"  admin token, shown this once and kept in {token.source}:\n          {token.token}"
        )
    else:
        print(f"  admin token from {token.source}")
    for note in notes:
        options.note(f"  note: {note}")
    import sys

    sys.stdout.flush()
