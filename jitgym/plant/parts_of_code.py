"""Inner functions are translated to LLVM code, and compiled only as parts of their callers.

By default numba optimizes and compiles each function by itself before it inlines it into its
caller, so that code nested ten deep is optimized ten times. Here an inner function is only lowered
to LLVM code and linked into its caller, where it is optimized once. This module uses numba's
private interfaces.
"""

from __future__ import annotations

from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering


class Part(JITCodeLibrary):
    """Code that is only linked into its callers."""

    def finalize(self) -> None:
        """Link the functions that it calls, without optimizing or compiling."""
        self._raise_if_finalized()  # type: ignore[no-untyped-call]
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True


class Key:
    """A key under which callers find a part, which has no address."""


@register_pass(mutates_CFG=True, analysis_only=False)  # type: ignore[no-untyped-call]
class LowerAsPart(NativeLowering):
    """Lower a function to a part."""

    _name = "lower_as_part"

    def run_pass(self, state: Any) -> bool:
        """Lower the function and register it for its callers."""
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
    """numba's compiler, which lowers functions to parts."""

    def define_pipelines(self) -> list[Any]:
        """Return the passes of the compiler."""
        builder: Any = DefaultPassBuilder
        passes = builder.define_nopython_pipeline(self.state)
        passes.passes = [
            (LowerAsPart if made is NativeLowering else made, told) for made, told in passes.passes
        ]
        passes._finalized = False
        passes.finalize()
        return [passes]
