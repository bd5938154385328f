"""The floors: who may import whom. Read from the sources, so that no import escapes, lazy ones included.

_version, types, errors, extras, terminal, config, files, logs, _compiler, _jit    F0
book                                       F1
flow, data                                 F2   never each other
market                                     F3
envs, feed                                 F4   never each other
evaluation, report, portfolio, realism     F5
baselines, agents, calibration             F6   never each other
train                                      F7
cli, bench, live, dashboard                F8   look up to F6 and F7 only inside functions
"""

import ast
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent

FLOORS = {
    "hft_gym._version": 0,
    "hft_gym.types": 0,
    "hft_gym.errors": 0,
    "hft_gym.extras": 0,
    "hft_gym.terminal": 0,
    "hft_gym.config": 0,
    "hft_gym.files": 0,
    "hft_gym.logs": 0,
    "hft_gym._compiler": 0,
    "hft_gym._jit": 0,
    "hft_gym.book": 1,
    "hft_gym.flow": 2,
    "hft_gym.data": 2,
    "hft_gym.market": 3,
    "hft_gym.envs": 4,
    "hft_gym.feed": 4,
    "hft_gym.evaluation": 5,
    "hft_gym.report": 5,
    "hft_gym.portfolio": 5,
    "hft_gym.realism": 5,
    "hft_gym.calibration": 6,
    "baselines": 6,
    "agents": 6,
    "train": 7,
    "hft_gym.cli": 8,
    "hft_gym.cli_info": 8,
    "hft_gym.cli_data": 8,
    "hft_gym.cli_feed": 8,
    "hft_gym.cli_live": 8,
    "hft_gym.cli_runs": 8,
    "hft_gym.bench": 8,
    "hft_gym.live": 8,
    "hft_gym.cli_dashboard": 8,
    "hft_gym.dashboard": 8,
    "hft_gym.__main__": 8,
}
SIDE_BY_SIDE = {
    ("hft_gym._jit", "hft_gym._compiler"),
    ("hft_gym.report", "hft_gym.evaluation"),
    ("hft_gym.portfolio", "hft_gym.evaluation"),
    ("hft_gym.portfolio", "hft_gym.report"),
    ("hft_gym.realism", "hft_gym.report"),
}
"""(importer, imported) of one floor that may nevertheless meet."""

OURS = {"hft_gym", "baselines", "agents", "train"}
SLOW = {"torch", "stable_baselines3", "sb3_contrib", "pandas", "plotly", "PIL", "tensorboard", "scipy", "pyarrow",
        "websockets", "httpx", "orjson", "starlette", "uvicorn"}  # fmt: skip
"""Imported inside functions only; the frameworks of learning not even there."""
LEARNING = {"torch", "stable_baselines3", "sb3_contrib", "tensorboard"}


SERVER = "hft_gym.dashboard.app"
"""The one module that is a web server throughout; it is imported lazily instead."""
PICTURES = ("hft_gym.envs.picture", "hft_gym.report.picture")
"""Modules that draw with PIL; they are imported lazily instead."""


class Import(NamedTuple):
    importer: str
    imported: str
    line: int
    when: str  # "import", "lazy" or "typing"


def package_of(module: str) -> str:
    """The floor's name that a module belongs to."""
    names = module.split(".")
    for length in (2, 1):
        if ".".join(names[:length]) in FLOORS:
            return ".".join(names[:length])
    return ".".join(names[:2])


def module_of(path: Path) -> str:
    names = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


def imports_of(path: Path) -> list[Import]:
    """All imports in a source file, wherever they stand."""
    module = module_of(path)
    found: list[Import] = []

    def visit(node: ast.AST, when: str) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(module, alias.name, node.lineno, when) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                keep = len(parts) - node.level + (path.name == "__init__.py")
                base = ".".join(parts[:keep] + ([base] if base else []))
            # ``from package import name`` may mean a sub-module.
            for alias in node.names:
                found.append(Import(module, f"{base}.{alias.name}", node.lineno, when))
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.body:
                visit(child, "typing")
            for child in node.orelse:
                visit(child, when)
            return
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            when = "lazy" if when == "import" else when
        for child in ast.iter_child_nodes(node):
            visit(child, when)

    visit(ast.parse(path.read_text(encoding="utf-8")), "import")
    return found


SOURCES = [path for name in sorted(OURS) for path in sorted((ROOT / name).rglob("*.py"))]
IMPORTS = [found for path in SOURCES for found in imports_of(path)]


def is_source(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


def test_every_module_has_a_floor():
    modules = {package_of(module_of(path)) for path in SOURCES} - {"hft_gym"}
    assert modules <= FLOORS.keys(), f"give {sorted(modules - FLOORS.keys())} a floor"
    assert len(SOURCES) > 20 and len(IMPORTS) > 100


def allowed(found: Import) -> bool:
    importer, imported = package_of(found.importer), package_of(found.imported)
    if found.importer == "hft_gym":
        return found.when == "typing" or imported == "hft_gym._version"
    if importer == imported:
        return True
    if imported not in FLOORS:  # hft_gym itself or a public name of it: the top may look at the whole
        return FLOORS[importer] >= 6 and (imported == "hft_gym" or not is_source(found.imported))
    if FLOORS[importer] == 0 == FLOORS[imported] or FLOORS[importer] == 8 == FLOORS[imported]:
        return True
    return FLOORS[imported] < FLOORS[importer] or (importer, imported) in SIDE_BY_SIDE


def test_imports_point_down():
    ours = [found for found in IMPORTS if found.imported.split(".")[0] in OURS]
    bad = [f"{f.importer} imports {f.imported} (line {f.line}, {f.when})" for f in ours if not allowed(f)]
    assert not bad, "\n".join(bad)


def test_the_top_looks_up_only_inside_functions():
    """The command line works without the extras until a command needs them."""
    bad = [
        f"{f.importer} imports {f.imported} (line {f.line})"
        for f in IMPORTS
        if f.importer.startswith("hft_gym") and f.imported.split(".")[0] in OURS - {"hft_gym"} and f.when == "import"
    ]
    assert not bad, "\n".join(bad)


def test_the_library_knows_no_learning_framework():
    below = [f for f in IMPORTS if FLOORS.get(package_of(f.importer), 0) <= 6 and not f.importer.startswith("agents")]
    bad = [f"{f.importer} imports {f.imported} (line {f.line})" for f in below if f.imported.split(".")[0] in LEARNING]
    assert not bad, "\n".join(bad)


def test_slow_libraries_are_imported_lazily():
    bad = [
        f"{f.importer} imports {f.imported} (line {f.line})"
        for f in IMPORTS
        if f.importer.split(".")[0] in ("hft_gym", "baselines")
        and (f.imported.split(".")[0] in SLOW or f.imported.startswith((*PICTURES, SERVER)))
        and f.when == "import"
        and not (f.importer in PICTURES and f.imported.startswith("PIL."))
        and not (f.importer == SERVER and f.imported.startswith("starlette."))
    ]
    assert not bad, "\n".join(bad)


@pytest.mark.parametrize("module", ["hft_gym", "hft_gym.types", "hft_gym.errors", "hft_gym.config", "hft_gym._version"])
def test_the_ground_floor_imports_little(module):
    """``import hft_gym`` and the words everybody shares load no numba."""
    light = {"numpy", "gymnasium", "hft_gym"} | sys.stdlib_module_names
    bad = [f for f in IMPORTS if f.importer == module and f.when == "import" and f.imported.split(".")[0] not in light]
    assert not bad


def test_the_reader_of_imports_misses_none(tmp_path, monkeypatch):
    """The tests above are worth what this function finds."""
    (tmp_path / "hft_gym" / "book").mkdir(parents=True)
    source = tmp_path / "hft_gym" / "book" / "x.py"
    source.write_text(
        "import a.b\nfrom . import c\nfrom ..market import d\nfrom hft_gym import envs\n"
        "if TYPE_CHECKING:\n    import e\nelse:\n    import f\n"
        "class K:\n    import g\n    def m(self):\n        import h\n"
        "try:\n    import i\nexcept ImportError:\n    import j\n"
    )
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    found = {(f.imported, f.when) for f in imports_of(source)}
    assert found == {
        ("a.b", "import"),
        ("hft_gym.book.c", "import"),
        ("hft_gym.market.d", "import"),
        ("hft_gym.envs", "import"),
        ("e", "typing"),
        ("f", "import"),
        ("g", "import"),
        ("h", "lazy"),
        ("i", "import"),
        ("j", "import"),
    }
    up = Import("hft_gym.book.x", "hft_gym.market.d", 1, "lazy")
    assert not allowed(up) and allowed(Import("hft_gym.market.x", "hft_gym.book.d", 1, "import"))
    assert not allowed(Import("baselines.x", "agents.y", 1, "lazy"))
