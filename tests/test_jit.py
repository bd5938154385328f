"""The cache of compiled kernels: never stale, shared safely, and no burden where it cannot be written."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hft_gym import _jit
from hft_gym._jit import JIT_DISABLED, entry, kernel

PACKAGE = Path(_jit.__file__).resolve().parent
COPIED = shutil.ignore_patterns("__pycache__")

pytestmark = pytest.mark.skipif(JIT_DISABLED, reason="nothing is compiled")

PROBE = """
import json, sys, warnings
from pathlib import Path
warnings.simplefilter("always")
import hft_gym
from hft_gym import _jit
from hft_gym.book import compiled, ladder
volume, count = compiled._ahead(*ladder.allocate(1, 64, 16), 130)
stats = compiled._ahead.stats
print(json.dumps({
    "package": str(Path(hft_gym.__file__).parent),
    "count": int(count),
    "hits": sum(stats.cache_hits.values()),
    "folder": str(_jit.cache_folder()),
}))
"""
"""Calls a small entry of the book whose helper lies in another file: the orders ahead of a free slot, that is 0."""


def begin(package: Path, cache: Path, code: str = PROBE, **variables: str) -> subprocess.Popen:
    """Start *code* in a fresh process that imports the package below folder *package*."""
    env = {**os.environ, "PYTHONPATH": str(package), "HFT_GYM_CACHE_DIR": str(cache), **variables}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=package,
        env={**env, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen) -> dict:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return {**json.loads(out.splitlines()[-1]), "stderr": err}


def probe(package: Path, cache: Path, **variables: str) -> dict:
    found = finish(begin(package, cache, **variables))
    assert found["package"] == str(package / "hft_gym")
    return found


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    shutil.copytree(PACKAGE, folder / "hft_gym", ignore=COPIED)
    return folder


@pytest.fixture
def package(pristine, tmp_path):
    """A copy of the package that may be edited."""
    shutil.copytree(pristine, tmp_path / "copy")
    return tmp_path / "copy"


def stamp(package: Path) -> str:
    """The stamp that the package in this folder would compute."""
    spec = importlib.util.spec_from_file_location("copied_jit", package / "hft_gym" / "_jit.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.source_stamp()


# -- never stale -------------------------------------------------------------------------------------------


def test_whatever_is_compiled_lies_in_a_stamped_file():
    stamped = set(_jit.kernel_sources())
    assert len(stamped) > 30
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            imported = node.names if isinstance(node, ast.ImportFrom) and node.module == "hft_gym._jit" else ()
            if {alias.name for alias in imported} & {"kernel", "inlined", "entry"}:
                assert path in stamped, f"{path.name} defines kernels, and is not in KERNEL_PACKAGES"
            if isinstance(node, ast.keyword) and node.arg == "cache" and path.name != "_jit.py":
                value = node.value
                assert not (isinstance(value, ast.Constant) and value.value is True), f"{path}: cache=True"


def test_an_edit_of_any_stamped_file_changes_the_stamp(package):
    seen = {stamp(package)}
    assert stamp(package) in seen
    sources = [path.relative_to(PACKAGE) for path in _jit.kernel_sources()]
    for name in sources:
        path = package / "hft_gym" / name
        before = path.read_bytes()
        path.write_bytes(before + b"\n# edited\n")
        changed = stamp(package)
        assert changed not in seen, name
        seen.add(changed)
        path.write_bytes(before)
    assert stamp(package) in seen


def test_a_new_a_renamed_and_a_missing_file_change_it_too(package):
    seen = [stamp(package)]
    new = package / "hft_gym" / "flow" / "new.py"
    new.write_text("")
    seen.append(stamp(package))
    new.rename(new.with_name("newer.py"))
    seen.append(stamp(package))
    (package / "hft_gym" / "flow" / "poisson.py").unlink()
    seen.append(stamp(package))
    assert len(set(seen)) == 4
    (package / "hft_gym" / "cli.py").write_text("# no kernel")
    assert stamp(package) == seen[-1]


@pytest.mark.parametrize("variable", ["BOUNDSCHECK", "OPT"])
def test_settings_that_change_machine_code_change_it(package, variable, monkeypatch):
    before = stamp(package)
    monkeypatch.setattr(_jit.numba_config, variable, 1)
    assert stamp(package) != before


def test_edited_code_runs(package, tmp_path):
    cache = tmp_path / "cache"
    first, second = probe(package, cache), probe(package, cache)
    assert (first["count"], first["hits"]) == (0, 0)
    assert (second["count"], second["hits"]) == (0, 1), "an unchanged source is not compiled again"
    source = package / "hft_gym" / "book" / "ladder.py"
    text = source.read_text()
    assert text.count("    return volume, count\n") == 1
    source.write_text(text.replace("    return volume, count\n", "    return volume, count + 100\n"))
    edited = probe(package, cache)
    assert (edited["count"], edited["hits"]) == (100, 0)
    assert edited["folder"] != first["folder"]
    source.write_text(text)
    back = probe(package, cache)
    assert (back["count"], back["hits"], back["folder"]) == (0, 1, first["folder"])


# -- private options of numba ------------------------------------------------------------------------------


def test_an_allocation_in_a_kernel_does_not_compile():
    @kernel
    def allocates(n):
        return np.zeros(n)

    @entry
    def calls(n):
        return allocates(n)[0]

    with pytest.raises(Exception, match=r"(?i)nrt|allocat"):
        calls(3)


def test_arrays_are_handed_to_kernels_without_counting_references():
    @kernel
    def first(array):
        return array[0]

    @entry
    def calls(array):
        total = 0.0
        for i in range(array.shape[0]):
            total += first(array[i])
        return total

    assert calls(np.ones((3, 2))) == 3.0
    [code] = calls.inspect_llvm().values()
    assert "NRT_incref" not in code and "NRT_decref" not in code


def test_a_kernel_called_with_constants_is_compiled_once():
    @kernel
    def twice(x):
        return 2 * x

    @entry
    def calls(x):
        return twice(1) + twice(2) + twice(x)

    assert calls(3) == 12
    assert len(twice.signatures) == 1


# -- shared ------------------------------------------------------------------------------------------------


def test_processes_that_compile_into_one_empty_cache_do_not_disturb_each_other(pristine, tmp_path):
    cache = tmp_path / "cache"
    found = [finish(p) for p in [begin(pristine, cache) for _ in range(4)]]
    assert {f["count"] for f in found} == {0}
    assert len({f["folder"] for f in found}) == 1
    assert probe(pristine, cache)["hits"] == 1
    assert not list(cache.rglob("*.tmp.*"))


def test_two_signatures_saved_at_once_do_not_overwrite_each_other(tmp_path, monkeypatch):
    """Two processes read an empty index; the first saves its index first and its code last."""
    monkeypatch.setattr(_jit, "cache_folder", lambda: tmp_path)

    def made():
        def identity(x):
            return x

        return entry(identity)

    late = []
    first, second = made(), made()
    first._cache._cache_file._save_data = lambda *arguments: late.append(arguments)
    first(1)
    second._cache._cache_file._load_index = dict
    second(1.5)
    assert len(late) == 1
    made()._cache._cache_file._save_data(*late[0])
    fresh = made()
    assert fresh(2.5) == 2.5 and isinstance(fresh(2.5), float)
    fresh = made()
    assert fresh(3) == 3 and isinstance(fresh(3), int)


# -- where it cannot be written, or is damaged -----------------------------------------------------------------


def listing(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in sorted(folder.rglob("*"))}


def test_nothing_is_written_into_the_installation(package, tmp_path):
    for path in package.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = listing(package)
    assert probe(package, tmp_path / "cache")["count"] == 0
    assert listing(package) == before
    for path in package.rglob("*"):  # so that it can be removed
        path.chmod(0o755)


def test_an_unwritable_cache_folder_gives_way_to_a_temporary_one(pristine, tmp_path):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "tmp").mkdir()
    found = probe(pristine, tmp_path / "file" / "cache", TMPDIR=str(tmp_path / "tmp"))
    assert found["count"] == 0 and found["folder"].startswith(str(tmp_path / "tmp"))
    assert probe(pristine, tmp_path / "file" / "cache", TMPDIR=str(tmp_path / "tmp"))["hits"] == 1


def test_no_cache_at_all_is_said_and_costs_only_time(pristine, tmp_path):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "tmp").mkdir()
    user = getattr(os, "getuid", lambda: "user")()
    (tmp_path / "tmp" / f"hft_gym-{user}").write_text("in the way too")
    found = probe(pristine, tmp_path / "file" / "cache", TMPDIR=str(tmp_path / "tmp"))
    assert found["count"] == 0
    assert "cannot be cached" in found["stderr"] and "HFT_GYM_CACHE_DIR" in found["stderr"]


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("damage", ["empty", "cut", "noise"])
def test_a_damaged_cache_is_compiled_anew(pristine, tmp_path, suffix, damage):
    cache = tmp_path / "cache"
    probe(pristine, cache)
    files = list(cache.rglob(f"*{suffix}"))
    assert files
    for path in files:
        whole = path.read_bytes()
        noise = np.random.default_rng(0).bytes(len(whole))
        path.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "noise": noise}[damage])
    found = probe(pristine, cache)
    assert found["count"] == 0
    assert "unreadable" in found["stderr"] or found["hits"] == 0
    repaired = probe(pristine, cache)
    assert (repaired["count"], repaired["hits"]) == (0, 1)


def test_a_helper_is_lowered_and_no_more():
    """numba's own library would have been optimised and turned into machine code; ours is only linked."""
    if _jit.JIT_DISABLED:
        pytest.skip("needs the compiler")
    from hft_gym._compiler import EntryLibrary, HelperLibrary

    helper = _jit.kernel(lambda x: x + 1)
    caller = _jit.entry(lambda x: helper(x) * 2)
    assert caller(20) == 42
    (lowered,) = helper.overloads.values()
    (compiled,) = caller.overloads.values()
    assert type(lowered.library) is HelperLibrary
    assert type(compiled.library) is EntryLibrary


def test_a_helper_that_is_called_is_private_to_its_entry_and_gets_only_what_it_reads():
    if _jit.JIT_DISABLED:
        pytest.skip("needs the compiler")
    helper = _jit.cold(lambda read, unread: read[0] + 1)
    caller = _jit.entry(lambda a, b: helper(a, b) * 2)
    assert caller(np.array([20]), np.array([1])) == 42
    (lowered,) = helper.overloads.values()
    (compiled,) = caller.overloads.values()
    name, text = lowered.fndesc.llvm_func_name, compiled.library.get_llvm_str()
    (definition,) = (line for line in text.splitlines() if line.startswith("define") and name in line)
    assert definition.startswith("define internal")
    assert definition.count("%arg.") == 1  # of the fourteen words of two arrays


def test_long_names_are_short_in_machine_code_and_differ():
    if _jit.JIT_DISABLED:
        pytest.skip("needs the compiler")
    many = np.dtype([(f"field_{i}", np.int64) for i in range(60)])
    summed = _jit.cold(lambda a, b: a[0]["field_1"] + b[0])
    caller = _jit.entry(lambda a, b, c: summed(a, b) + summed(a, c))
    assert caller(np.ones(1, many), np.array([20]), np.array([0.5])) == 22.5
    names = [lowered.fndesc.llvm_func_name for lowered in summed.overloads.values()]
    assert len(set(names)) == 2
    assert all(len(name) < 300 for name in names)
