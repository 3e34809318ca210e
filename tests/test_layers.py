"""The house keeps its shape: layers, exported names, size of modules and functions."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import evenhand

ROOT = Path(evenhand.__file__).parent
MODULES = sorted(p for p in ROOT.rglob("*.py") if p.name != "__init__.py")
INSTRUMENTS = {"arena", "survey", "conversation", "counterfactual"}

# What each part of the package may import, beside itself.
GROUND = {"errors", "settings"}
STORE = GROUND | {"store"}
MAY_IMPORT = {
    "errors": set(),
    "settings": {"errors"},
    "store": GROUND,
    "stats": {"errors"},
    "reading": {"errors"},
    "models": GROUND,
    "runs": STORE | {"stats", "models"},
    "report": STORE | {"stats", "models", "runs"},
    **{name: STORE | {"stats", "reading", "models", "runs", "report"} for name in INSTRUMENTS},
}
MAY_IMPORT["web"] = MAY_IMPORT["cli"] = set(MAY_IMPORT) | {"web"}


def part_of(path: Path) -> str:
    """The part of the package that a module belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_parts(path: Path) -> Iterator[tuple[int, str]]:
    """Every part of the package that a module imports, with the line, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "evenhand":
                names = [f"evenhand.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "evenhand" and len(parts) > 1 and parts[1] != "__version__":
                yield node.lineno, parts[1]


def identify(path: Path) -> str:
    """A short test id."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=identify)
def test_imports_point_one_way(path: Path) -> None:
    """A module imports only its own part and the parts below it."""
    part = part_of(path)
    allowed = MAY_IMPORT[part] | {part}
    wrong = [f"line {line}: {name}" for line, name in imported_parts(path) if name not in allowed]
    assert not wrong


@pytest.mark.parametrize("path", MODULES, ids=identify)
def test_exported_names_are_the_public_names(path: Path) -> None:
    """``__all__`` exists, and everything in it is there."""
    if path.name == "__main__.py" or "templates" in path.parts:
        return
    name = "evenhand." + ".".join(path.relative_to(ROOT).with_suffix("").parts)
    module = importlib.import_module(name)
    assert hasattr(module, "__all__"), "no __all__"
    assert sorted(set(module.__all__)) == sorted(module.__all__), "a name twice"
    assert [n for n in module.__all__ if not hasattr(module, n)] == []


@pytest.mark.parametrize("path", MODULES, ids=identify)
def test_modules_and_functions_stay_small(path: Path) -> None:
    """A module has at most 500 lines and a function at most 80."""
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 500
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno <= 80, node.name


def test_stats_needs_only_numpy_and_scipy() -> None:
    """The statistics import nothing foreign but numpy and scipy."""
    foreign = set()
    for path in (ROOT / "stats").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                foreign |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                foreign.add(node.module.split(".")[0])
    import sys

    assert foreign - set(sys.stdlib_module_names) <= {"numpy", "scipy", "evenhand"}
