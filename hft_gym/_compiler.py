"""How helpers of a kernel are compiled: type-checked and lowered, and no more.

numba optimises every function on its own and makes machine code of it, and then does both again for each caller
that the function is linked into. A market has two hundred helpers, none of which anybody calls from Python:
:class:`HelperPipeline` leaves them as they are lowered, for the entry that they end in to optimise once, and leaves out
what helpers have no need of. That halves the time to compile; :func:`resolved_once` takes another tenth off.
:class:`EntryPipeline` makes the helpers private to their entry: machine code of a batch is then a tenth faster.

``pipeline_class`` is numba's documented way to change a compiler; the pass and the library that are replaced here are
numba's own classes, and a test compiles with them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite.binding import Linkage
from numba import _dynfunc
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_lock import global_compiler_lock, require_global_compiler_lock
from numba.core.compiler_machinery import register_pass
from numba.core.itanium_mangler import mangle
from numba.core.typed_passes import NativeLowering, NopythonRewrites
from numba.core.types.functions import BaseFunction
from numba.core.untyped_passes import (
    InlineClosureLikes,
    InlineInlinables,
    LiteralPropagationSubPipelinePass,
    LiteralUnroll,
    MakeFunctionToJitFunction,
    RewriteDynamicRaises,
    WithLifting,
)

NOT_FOR_HELPERS = (WithLifting, InlineClosureLikes, MakeFunctionToJitFunction, RewriteDynamicRaises, InlineInlinables,
    LiteralUnroll, LiteralPropagationSubPipelinePass, NopythonRewrites)  # fmt: skip
"""Passes for what a helper has none of: contexts, closures, exceptions, numba's own inlining, tuples of mixed types to
loop over, whole-array expressions."""


class HelperLibrary(JITCodeLibrary):
    """A library that is only ever linked into others: neither optimised as a whole nor turned into machine code.

    Nor are its callees linked into it: a caller gets them all from :meth:`needed`, and an entry links each once.
    """

    entry_name = ""
    """The function's name in machine code, once it is lowered."""

    def add_linking_library(self, library: Any) -> None:
        """Note what is called, once."""
        library._ensure_finalized()
        if library not in self._linking_libraries:
            self._linking_libraries.append(library)

    def _optimize_functions(self, ll_module: Any) -> None:
        """As numba does, without building a pass manager for every function that is only declared."""
        ll_module.data_layout = self._codegen._data_layout
        passes, builder = self._codegen._function_pass_manager()
        for function in ll_module.functions:
            if not function.is_declaration:
                passes.run(function, builder)

    def needed(self) -> list[Any]:
        """The library itself and all that it calls, directly or not."""
        return [self, *self._linking_libraries]

    def finalize(self) -> None:
        """Close the library."""
        require_global_compiler_lock()
        self._raise_if_finalized()
        for library in self._linking_libraries:
            self._reload_init.update(library._reload_init)
        self._finalized = True


@contextmanager
def short_names(context: Any) -> Iterator[None]:
    """Let functions be named by a digest of their types while the block runs.

    numba spells the types out; where a market's arrays are among them that is seven thousand characters, at every call:
    a tenth of the time to compile, and nine tenths of the file in the cache.
    """

    def mangler(name: str, types: Any, *, abi_tags: Any = (), uid: Any = None) -> str:
        spelt = " ".join([*map(str, types), *abi_tags])
        digest = hashlib.blake2b(spelt.encode(), digest_size=16).hexdigest()
        short: str = mangle(name, (), abi_tags=(digest,), uid=uid)
        return short

    context.mangler = mangler
    try:
        yield
    finally:
        del context.mangler


class ColdLibrary(HelperLibrary):
    """A helper that is hardly ever called: it is not inlined, so that its callers stay small."""

    def finalize(self) -> None:
        """As a helper, marked for LLVM."""
        super().finalize()
        function = self._final_module.get_function(self.entry_name)
        for attribute in ("noinline", "cold"):
            function.add_function_attribute(attribute)


@register_pass(mutates_CFG=True, analysis_only=False)
class HelperLowering(NativeLowering):
    """Lower a helper into a :class:`HelperLibrary`."""

    _name = "helper_lowering"
    library_class = HelperLibrary

    def run_pass(self, state: Any) -> bool:
        """Lower, and register the function for its callers to link."""
        state.library = self.library_class(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        with short_names(state.targetctx):
            super().run_pass(state)
        lowered = state["cr"]
        state.library.entry_name = lowered.fndesc.llvm_func_name
        name = lowered.fndesc.qualname.split(".")[-1]
        # numba knows a compiled function by the object that Python would call; this one leads nowhere.
        function = _dynfunc.make_function(
            lowered.fndesc.lookup_module(), name, f"helper {name}", 0, lowered.env, (state.library,)
        )
        state.targetctx.insert_user_function(function, lowered.fndesc, state.library.needed())
        state.reload_init.extend(state.library._reload_init)
        state["cr"] = lowered._replace(cfunc=function)
        return True


@register_pass(mutates_CFG=True, analysis_only=False)
class ColdLowering(HelperLowering):
    """Lower a helper into a :class:`ColdLibrary`."""

    _name = "cold_lowering"
    library_class = ColdLibrary


class EntryLibrary(JITCodeLibrary):
    """An entry and all that it calls, which nobody else does: LLVM may then drop the arguments that a helper never
    reads. A market's arrays are some four hundred words, and every call that is not inlined copied them all."""

    def _optimize_final_module(self) -> None:
        """As numba does, with the helpers private."""
        for function in self._final_module.functions:
            if not function.is_declaration and function.linkage == Linkage.linkonce_odr:
                function.linkage = Linkage.internal
        super()._optimize_final_module()


@register_pass(mutates_CFG=True, analysis_only=False)
class EntryLowering(NativeLowering):
    """Lower an entry into an :class:`EntryLibrary`."""

    _name = "entry_lowering"

    def run_pass(self, state: Any) -> bool:
        """Lower, ready to be cached."""
        state.library = EntryLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        with short_names(state.targetctx):
            return bool(super().run_pass(state))


class EntryPipeline(CompilerBase):
    """numba's usual pipeline with :class:`EntryLowering` in it."""

    lowering: type[NativeLowering] = EntryLowering
    without: tuple[Any, ...] = ()
    """Passes to leave out."""

    def define_pipelines(self) -> list[Any]:
        """The one pipeline."""
        manager = DefaultPassBuilder.define_nopython_pipeline(self.state)
        kept = [(p, why) for p, why in manager.passes if p not in self.without]
        manager.passes = [(self.lowering if p is NativeLowering else p, why) for p, why in kept]
        manager.finalize()
        return [manager]


class HelperPipeline(EntryPipeline):
    """The same with :class:`HelperLowering`, without what a helper has no need of."""

    lowering = HelperLowering
    without = NOT_FOR_HELPERS


class ColdPipeline(HelperPipeline):
    """The same with :class:`ColdLowering`."""

    lowering = ColdLowering


@contextmanager
def resolved_once() -> Iterator[None]:
    """Let numba remember, while the block runs, which signature a built-in function has for which types.

    It otherwise tries the dozens of ways to type `a + b` anew at each of the ten thousand places of a market: a tenth
    of the time to compile.
    """
    functions: Any = BaseFunction
    original = functions.get_call_type
    known: dict[Any, Any] = {}

    def get_call_type(self: Any, context: Any, args: Any, kws: Any) -> Any:
        key = (self, context, tuple(args), tuple(kws.items()))
        if key not in known:
            known[key] = original(self, context, args, kws)
        return known[key]

    with global_compiler_lock:
        functions.get_call_type = get_call_type
        try:
            yield
        finally:
            functions.get_call_type = original
