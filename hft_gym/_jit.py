"""The one place where numba is configured: how kernels are compiled, cached and kept fresh.

The decorators:

* :func:`kernel` marks a helper. It is compiled into whatever calls it and cannot be called from Python.
  :func:`inlined` and :func:`cold` are its variants for the hottest and the rarest of them.
* :func:`entry` marks a function that Python calls. Its machine code is cached on disk.

Why not ``cache=True``: numba compares only the file that defines the cached function, so an edit to a
helper in another file would leave the old machine code in use. Here the cache folder's name carries a
stamp over *every* source file of the kernel floors (``KERNEL_PACKAGES``) and over the compiler settings; an edit
anywhere opens a new folder. The folder lies outside the installation, so a read-only site-packages works, and
a cache that cannot be read or written only costs a recompilation.

Why ``_nrt=False``: numba otherwise counts references of every array handed to a helper (45 instead of 11 ns
a book message). It is a private option of numba: it is used here only, and a test checks that it is honoured.
"""

from __future__ import annotations

import gc
import hashlib
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from numba.core import config as numba_config
from numba.core import types as numba_types
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile, _CacheLocator
from numba.extending import intrinsic

from hft_gym._compiler import ColdPipeline, EntryPipeline, HelperPipeline, resolved_once

F = TypeVar("F", bound=Callable[..., Any])

JIT_DISABLED = bool(numba_config.DISABLE_JIT)
"""True if ``NUMBA_DISABLE_JIT`` is set: kernels then run as plain Python (slow, for debugging and tests)."""

PACKAGE_ROOT = Path(__file__).resolve().parent
KERNEL_PACKAGES = ("book", "data", "flow", "market", "envs")
"""Sub-packages whose sources may be compiled into a kernel; all of them go into the cache stamp."""

U: Any = np.uint64
"""Marks an array index as unsigned, so that numba does not test for negative ones."""

I64: Any = np.int64
"""Widens a record's field before arithmetic: unsigned and signed 64-bit integers together would become a float."""

_OPTIONS: dict[str, Any] = {"_nrt": False, "error_model": "numpy", "nogil": True, "no_cfunc_wrapper": True}
_ENTRY: dict[str, Any] = {} if JIT_DISABLED else {"pipeline_class": EntryPipeline}
_HELPER: dict[str, Any] = {} if JIT_DISABLED else {"pipeline_class": HelperPipeline}
_COLD: dict[str, Any] = {} if JIT_DISABLED else {"pipeline_class": ColdPipeline}


def kernel_sources() -> list[Path]:
    """Every source file whose edit must invalidate the cache, in a fixed order."""
    files = [Path(__file__).resolve(), PACKAGE_ROOT / "_compiler.py", PACKAGE_ROOT / "types.py"]
    for name in KERNEL_PACKAGES:
        files += sorted((PACKAGE_ROOT / name).rglob("*.py"))
    return [f for f in files if f.exists()]


@lru_cache(maxsize=1)
def source_stamp() -> str:
    """Hex digest over the kernel sources, the numba version and the settings that change machine code."""
    digest = hashlib.sha256()
    settings = (numba.__version__, sys.version_info[:2], sorted(_OPTIONS.items()))
    knobs = (numba_config.BOUNDSCHECK, numba_config.OPT, numba_config.DEBUG, numba_config.DEBUGINFO_DEFAULT)
    digest.update(repr((settings, [str(k) for k in knobs])).encode())
    for path in kernel_sources():
        digest.update(str(path.relative_to(PACKAGE_ROOT)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:20]


@lru_cache(maxsize=1)
def cache_folder() -> Path:
    """Folder of the compiled kernels: ``$HFT_GYM_CACHE_DIR``, else the user's cache folder, else a temporary one."""
    chosen = os.environ.get("HFT_GYM_CACHE_DIR")
    if chosen:
        base = Path(chosen)
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", tempfile.gettempdir())) / "hft_gym"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches" / "hft_gym"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hft_gym"
    folder = base / f"kernels-{source_stamp()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        user = getattr(os, "getuid", lambda: "user")()
        folder = Path(tempfile.gettempdir()) / f"hft_gym-{user}" / f"kernels-{source_stamp()}"
    return folder


class _StampedLocator(_CacheLocator):
    def __init__(self, py_func: Any, py_file: str) -> None:
        self._py_file = py_file
        self._name = f"{py_func.__module__}.{py_func.__qualname__}"

    def get_cache_path(self) -> str:
        return str(cache_folder())

    def get_source_stamp(self) -> str:
        return source_stamp()

    def get_disambiguator(self) -> str:
        return hashlib.sha256(self._name.encode()).hexdigest()[:8]

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> _StampedLocator:
        return cls(py_func, py_file)


class _StampedCacheImpl(CompileResultCacheImpl):
    _locator_classes = (_StampedLocator,)


class _CacheFile(IndexDataCacheFile):
    """Numba's index of a function and its files of machine code, safe to share and to damage."""

    def _load_index(self) -> Any:
        try:
            return super()._load_index()
        except Exception as error:  # unpickling what is damaged can raise anything
            warnings.warn(f"index of compiled kernels is unreadable ({error!r}); compiling anew", stacklevel=2)
            return {}

    def save(self, key: Any, data: Any) -> None:
        # Numba numbers the files of a function: of two processes that save different signatures at once, one would
        # later load the other's code. A name made of the key belongs to one signature; the index comes last.
        name = f"{Path(self._index_path).stem}.{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}.nbc"
        self._save_data(name, data)
        self._save_index({**self._load_index(), key: name})


class _StampedCache(FunctionCache):
    """Numba's file cache with our folder; a damaged or unwritable cache means a recompilation, said aloud."""

    _impl_class = _StampedCacheImpl

    announced = False

    def __init__(self, py_func: Any) -> None:
        super().__init__(py_func)
        self._cache_file = _CacheFile(self._cache_path, self._impl.filename_base, source_stamp())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            found = super().load_overload(sig, target_context)
            if found is None and not _StampedCache.announced:
                _StampedCache.announced = True
                print("hft_gym: compiling, once for this version: about 20 s ...", file=sys.stderr, flush=True)
            return found
        except Exception as error:  # unpickling what is damaged can raise anything
            warnings.warn(f"cache of compiled kernels is unreadable ({error!r}); compiling anew", stacklevel=2)
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError as error:
            warnings.warn(
                f"compiled kernels cannot be cached in {self.cache_path} ({error}); every process will compile. "
                "Set HFT_GYM_CACHE_DIR to a writable folder.",
                stacklevel=2,
            )


def _one_version(compiled: Any) -> Any:
    """Let numba compile a helper once for all integer literals it is called with, not once for each.

    LLVM propagates the constants anyway where the helper is inlined; this halves the time to compile the market.
    """
    if JIT_DISABLED:
        return compiled
    unliteral: Any = vars(numba_types)["unliteral"]
    original = compiled.get_call_template

    def get_call_template(args: Any, kws: Any) -> Any:
        return original(tuple(unliteral(a) for a in args), {k: unliteral(v) for k, v in kws.items()})

    compiled.get_call_template = get_call_template
    return compiled


def kernel(function: F) -> F:
    """Compile *function* as a helper of kernels: no allocation, no exceptions, no Python wrapper.

    numba hands a caller's options down: what an :func:`inlined` helper calls is inlined as well.
    """
    compiled: F = _one_version(numba.njit(function, no_cpython_wrapper=True, **_HELPER, **_OPTIONS))
    return compiled


def inlined(function: F) -> F:
    """As :func:`kernel`, and always inlined into its callers: for the few helpers of the hottest loops."""
    compiled: F = _one_version(numba.njit(function, no_cpython_wrapper=True, forceinline=True, **_HELPER, **_OPTIONS))
    return compiled


def cold(function: F) -> F:
    """As :func:`kernel`, and never inlined, nor is what it calls: for what a market seldom does.

    It keeps the event loop small, and with it the time to compile.
    """
    compiled: F = _one_version(numba.njit(function, no_cpython_wrapper=True, forceinline=False, **_COLD, **_OPTIONS))
    return compiled


def entry(function: F) -> F:
    """Compile *function* as an entry point callable from Python, without the GIL, cached on disk."""
    compiled: Any = numba.njit(function, **_ENTRY, **_OPTIONS)
    if not JIT_DISABLED:
        compiled._cache = _StampedCache(compiled.py_func)
        compiled.compile = _without_collector(compiled.compile)
    result: F = compiled
    return result


def _without_collector(compile_: Callable[..., Any]) -> Callable[..., Any]:
    """*compile_* with Python's cycle collector off: what the compiler builds is alive until it is done, and looking
    through it again and again took a tenth of the time."""

    def compile_calmly(signature: Any) -> Any:
        collecting = gc.isenabled()
        gc.disable()
        try:
            with resolved_once():
                return compile_(signature)
        finally:
            if collecting:
                gc.enable()

    return compile_calmly


if JIT_DISABLED:

    def ctz(x: int) -> int:
        """Number of trailing zero bits of a non-zero 64-bit word."""
        x = int(x)
        return (x & -x).bit_length() - 1

    def clz(x: int) -> int:
        """Number of leading zero bits of a non-zero 64-bit word."""
        return 64 - int(x).bit_length()

    def prefetch(array: Any, row: int, offset: int) -> None:
        """Nothing: a hint to the processor has no meaning in Python."""

    def load_acquire(array: Any, row: int) -> int:
        """Element *row* of an int64 vector, which another thread writes."""
        return int(array[row])

    def store_release(array: Any, row: int, value: int) -> None:
        """Set element *row* of an int64 vector, which another thread reads."""
        array[row] = value

    _EXCHANGE = threading.Lock()

    def compare_exchange(array: Any, row: int, expected: int, value: int) -> bool:
        """Set element *row* of an int64 vector to *value* if it is *expected*; whether it was."""
        with _EXCHANGE:
            same = bool(array[row] == expected)
            if same:
                array[row] = value
        return same

else:
    from llvmlite import ir
    from numba import types

    @intrinsic
    def ctz(typing_context: Any, x: Any) -> Any:
        """Number of trailing zero bits of a non-zero 64-bit word."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

        return types.int64(types.uint64), codegen

    @intrinsic
    def clz(typing_context: Any, x: Any) -> Any:
        """Number of leading zero bits of a non-zero 64-bit word."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.ctlz(args[0], ir.Constant(ir.IntType(1), 1))

        return types.int64(types.uint64), codegen

    @intrinsic
    def prefetch(typing_context: Any, array: Any, row: Any, offset: Any) -> Any:
        """Ask for the cache line *offset* bytes into *row* of *array*: a hint that can be neither wrong nor felt."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value = context.make_array(signature.args[0])(context, builder, args[0])
            stride = builder.extract_value(value.strides, 0)
            byte = ir.IntType(8).as_pointer()
            base = builder.bitcast(value.data, byte)
            address = builder.gep(base, [builder.add(builder.mul(args[1], stride), args[2])])
            word = ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
            hint = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
            builder.call(hint, [address, word(1), word(3), word(1)])
            return context.get_dummy_value()

        return types.void(array, types.int64, types.int64), codegen

    def _element(context: Any, builder: Any, kind: Any, array: Any, row: Any) -> Any:
        data = context.make_array(kind)(context, builder, array).data
        return builder.gep(data, [row])

    @intrinsic
    def load_acquire(typing_context: Any, array: Any, row: Any) -> Any:
        """Element *row* of an int64 vector, which another thread writes, and no read after it happens before it."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.load_atomic(_element(context, builder, signature.args[0], *args), "acquire", 8)

        return types.int64(array, types.int64), codegen

    @intrinsic
    def store_release(typing_context: Any, array: Any, row: Any, value: Any) -> Any:
        """Set element *row* of an int64 vector, which another thread reads; no write before it happens after it."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            element = _element(context, builder, signature.args[0], *args[:2])
            builder.store_atomic(args[2], element, "release", 8)
            return context.get_dummy_value()

        return types.void(array, types.int64, types.int64), codegen

    @intrinsic
    def compare_exchange(typing_context: Any, array: Any, row: Any, expected: Any, value: Any) -> Any:
        """Set element *row* of an int64 vector to *value* if it is *expected*, in one go; whether it was."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            element = _element(context, builder, signature.args[0], *args[:2])
            return builder.extract_value(builder.cmpxchg(element, args[2], args[3], "acq_rel", "acquire"), 1)

        return types.boolean(array, types.int64, types.int64, types.int64), codegen
