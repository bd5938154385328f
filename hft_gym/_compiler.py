"""How helpers of a kernel are compiled: type-checked and lowered, and no more.

numba optimises every function on its own and makes machine code of it, and then does both again for each caller
that the function is linked into. A market has a hundred helpers, none of which anybody calls from Python:
:class:`HelperPipeline` leaves them as they are lowered, for the entry that they end in to optimise once. That halves
the time to compile.

``pipeline_class`` is numba's documented way to change a compiler; the pass and the library that are replaced here are
numba's own classes, and a test compiles with them.
"""

from __future__ import annotations

from typing import Any

from numba import _dynfunc
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_lock import require_global_compiler_lock
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering


class HelperLibrary(JITCodeLibrary):
    """A library that is only ever linked into others: neither optimised nor turned into machine code."""

    entry_name = ""
    """The function's name in machine code, once it is lowered."""

    def finalize(self) -> None:
        """Link what this library calls into it."""
        require_global_compiler_lock()
        self._raise_if_finalized()
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True


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
        super().run_pass(state)
        lowered = state["cr"]
        state.library.entry_name = lowered.fndesc.llvm_func_name
        name = lowered.fndesc.qualname.split(".")[-1]
        # numba knows a compiled function by the object that Python would call; this one leads nowhere.
        function = _dynfunc.make_function(
            lowered.fndesc.lookup_module(), name, f"helper {name}", 0, lowered.env, (state.library,)
        )
        state.targetctx.insert_user_function(function, lowered.fndesc, [state.library])
        state.reload_init.extend(state.library._reload_init)
        state["cr"] = lowered._replace(cfunc=function)
        return True


@register_pass(mutates_CFG=True, analysis_only=False)
class ColdLowering(HelperLowering):
    """Lower a helper into a :class:`ColdLibrary`."""

    _name = "cold_lowering"
    library_class = ColdLibrary


class HelperPipeline(CompilerBase):
    """numba's usual pipeline with :class:`HelperLowering` in it."""

    lowering: type[HelperLowering] = HelperLowering

    def define_pipelines(self) -> list[Any]:
        """The one pipeline."""
        manager = DefaultPassBuilder.define_nopython_pipeline(self.state)
        manager.passes = [(self.lowering if p is NativeLowering else p, why) for p, why in manager.passes]
        manager.finalize()
        return [manager]


class ColdPipeline(HelperPipeline):
    """The same with :class:`ColdLowering`."""

    lowering = ColdLowering
