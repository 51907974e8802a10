"""Inner functions are translated, but not made machine code of: only what they end up in is.

numba optimizes and emits each function by itself before it goes into its caller, and what is nested
ten deep is so treated ten times. An inner function here is only ever a part of an outer one: it is
lowered to LLVM's language and linked into its caller, and the optimizer sees it there, once.
Everything here is private to numba.
"""

from __future__ import annotations

from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering


class Part(JITCodeLibrary):
    """Code that is linked into that of its callers, and nowhere else."""

    def finalize(self) -> None:
        """Link in what it calls; neither optimize nor emit."""
        self._raise_if_finalized()  # type: ignore[no-untyped-call]
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True


class Key:
    """Stands for the address that a part has not got: callers find it by this."""


@register_pass(mutates_CFG=True, analysis_only=False)  # type: ignore[no-untyped-call]
class LowerAsPart(NativeLowering):
    """Lower a function to a part."""

    _name = "lower_as_part"

    def run_pass(self, state: Any) -> bool:
        """Lower it, and make it known to callers."""
        part: Any = Part
        state.library = part(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        state.flags.no_compile = True
        super().run_pass(state)  # type: ignore[no-untyped-call]
        key = Key()
        state.targetctx.insert_user_function(key, state["cr"].fndesc, [state.library])
        state.reload_init.extend(state.library._reload_init)
        state["cr"] = state["cr"]._replace(cfunc=key)
        return True


class PartCompiler(CompilerBase):
    """numba's compiler, with that lowering."""

    def define_pipelines(self) -> list[Any]:
        """Return its passes."""
        builder: Any = DefaultPassBuilder
        passes = builder.define_nopython_pipeline(self.state)
        passes.passes = [
            (LowerAsPart if made is NativeLowering else made, told) for made, told in passes.passes
        ]
        passes._finalized = False
        passes.finalize()
        return [passes]
