"""The decorators of compiled code and their compiler switches.

`kernel` marks an inner function that is always inlined and never cached by itself; `separate` marks
one that is called, not inlined. `compiled` marks an outer function, the only kind that Python
calls; its machine code is kept on disk (`machine_code.py`).

Two switches matter. `_nrt=False` switches off numba's memory runtime: the plant is a namedtuple of
arrays, and each call of a stage would count references on each array, which is twenty times slower.
Without the runtime an allocation in compiled code is a compile error, which is intended.
`forceinline=True` inlines the stages, which are small.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import numba

from .machine_code import keep
from .parts_of_code import PartCompiler

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile an inner function that is inlined into its caller and allocates nothing."""
    return _inner(function, forceinline=True)


def separate(function: Function) -> Function:
    """Compile an inner function that is called, because it is large and seldom needed.

    Inlining it would cost more compile time than it saves.
    """
    return _inner(function)


def _inner(function: Function, **switches: bool) -> Function:
    """Compile an inner function as a part of its callers (`parts_of_code.py`).

    Python can call it too, which compiles it once more, but not if it takes a whole plant.
    """
    takes_a_plant = "Plant" in function.__annotations__.values()

    def what_python_calls(*_: Any) -> Any:
        if takes_a_plant:
            name = function.__name__
            raise TypeError(f"{name} is an inner function: only compiled code can call it")
        return _for_python(function)

    dispatcher: Any = _njit(
        no_cpython_wrapper=True, no_cfunc_wrapper=True, pipeline_class=PartCompiler, **switches
    )(function)
    dispatcher._insert = lambda *_: None  # a part has no machine code that Python can call
    dispatcher._compile_for_args = what_python_calls
    hidden: Function = dispatcher
    return hidden


@cache
def _for_python(function: Any) -> Any:
    return _njit()(function)


def compiled(function: Function) -> Function:
    """Compile an outer function and keep its machine code on disk."""
    outer: Function = keep(_njit(nogil=True)(function))
    return outer


def compiled_to_inline(function: Function) -> Function:
    """Compile a large inner function and keep it on disk, to be inlined into new callers.

    For numba it is the same function as the outer one, so its code is kept separately.
    """
    inner: Function = keep(_njit(forceinline=True)(function), "inlined")
    return inner


def not_kept(function: Function) -> Function:
    """Compile an outer function for this process only."""
    outer: Function = _njit(nogil=True)(function)
    return outer


def _njit(**switches: Any) -> Any:
    # These switches are private to numba or untyped, so they are used only here.
    njit: Any = numba.njit
    return njit(_nrt=False, error_model="numpy", **switches)


def stack_rows(sizes: tuple[int, ...]) -> Callable[..., Any]:
    """Return a function for compiled code that makes rows of float64, zeros of these fixed sizes.

    They lie on the stack of the calling function. Nothing outside can see them, so the compiler
    keeps them in registers where indices are constants, and omits writes that nothing reads.
    """
    import llvmlite.ir  # type: ignore[import-untyped]
    import numba.core.cgutils
    import numba.extending
    import numba.np.arrayobj

    ir: Any = llvmlite.ir
    types: Any = numba.core.types
    cgutils: Any = numba.core.cgutils
    arrayobj: Any = numba.np.arrayobj
    intrinsic: Any = numba.extending.intrinsic
    of_row = types.Array(types.float64, 1, "C")

    def made(context: Any, builder: Any, size: int) -> Any:
        kind = ir.ArrayType(ir.DoubleType(), max(size, 1))
        cells = cgutils.alloca_once(builder, kind, zfill=True)
        width = context.get_constant(types.intp, 8)
        row = arrayobj.make_array(of_row)(context, builder)
        arrayobj.populate_array(
            row,
            data=builder.bitcast(cells, ir.DoubleType().as_pointer()),
            shape=[context.get_constant(types.intp, size)],
            strides=[width],
            itemsize=width,
            meminfo=None,
        )
        return row._getvalue()

    def rows(_: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, __: Any) -> Any:
            parts = [made(context, builder, size) for size in sizes]
            return context.make_tuple(builder, signature.return_type, parts)

        return types.UniTuple(of_row, len(sizes))(), code

    compiled_rows: Callable[..., Any] = intrinsic(rows)
    return compiled_rows


def entry(function: Callable[..., Any], *arguments: Any) -> Callable[..., Any]:
    """Return the machine code of a compiled function for arguments of these types.

    It checks almost nothing, and costs a tenth of a call through numba's dispatcher. The caller
    must pass arrays of the same dtype, dimension and contiguity.
    """
    dispatcher: Any = function
    typeof: Any = numba.typeof
    signature = tuple(typeof(argument) for argument in arguments)
    dispatcher.compile(signature)
    machine_code: Callable[..., Any] = dispatcher.overloads[signature].entry_point
    return machine_code
