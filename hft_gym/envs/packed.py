"""Calling a kernel of many arrays with one argument: a table of their addresses and shapes.

A call of a compiled function unpacks each array argument, at some 75 ns apiece; for the forty arrays
of an environment that is more than the step itself takes. `packed` wraps a kernel so that it takes one small
array of integers and makes the others anew from it, which costs nothing measurable.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym._jit import JIT_DISABLED, entry

if not JIT_DISABLED:
    from numba import types
    from numba.core import cgutils
    from numba.extending import intrinsic
    from numba.np import arrayobj

    @intrinsic
    def array_at(typing_context: Any, address: Any, shape: Any, dtype: Any) -> Any:
        """C-contiguous array of *dtype* and *shape* (a tuple of int64) at *address*; it owns nothing.

        numba's own ``carray`` does the same but cannot be compiled without reference counting (see ``_jit``).
        """
        array_type = types.Array(dtype.dtype, len(shape), "C")

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            array = context.make_array(array_type)(context, builder)
            element = context.get_data_type(array_type.dtype)
            size = context.get_constant(types.intp, context.get_abi_sizeof(element))
            lengths = cgutils.unpack_tuple(builder, args[1], array_type.ndim)
            strides: list[Any] = []
            stride = size
            for length in reversed(lengths):
                strides.insert(0, stride)
                stride = builder.mul(stride, length)
            arrayobj.populate_array(
                array,
                data=builder.inttoptr(args[0], element.as_pointer()),
                shape=lengths,
                strides=strides,
                itemsize=size,
                meminfo=None,
            )
            return array._getvalue()

        return array_type(address, shape, dtype), codegen


def table_of(arrays: Sequence[NDArray[Any]]) -> NDArray[np.int64]:
    """Address and shape of each array, one after the other. The arrays must outlive it and stay in place."""
    for array in arrays:
        if not array.flags.c_contiguous or not array.flags.writeable:
            raise ValueError(f"packed arrays must be C-contiguous and writeable, got {array.flags}")
    return np.array([n for a in arrays for n in (a.ctypes.data, *a.shape)], dtype=np.int64)


def packed(
    kernel: Callable[..., int], arrays: Sequence[NDArray[Any]]
) -> tuple[Callable[..., int], tuple[Any, ...]]:
    """*kernel*, and the arguments that stand for its last ones, which are *arrays*.

    ``kernel(a, b, c, d, actions, *arrays)`` becomes ``function(a, b, c, d, actions, *rest)``.
    """
    if JIT_DISABLED:
        return kernel, tuple(arrays)
    return _wrapper(kernel, tuple((a.dtype, a.ndim) for a in arrays)), (table_of(arrays),)


@lru_cache(maxsize=8)
def _wrapper(kernel: Callable[..., int], kinds: tuple[tuple[np.dtype[Any], int], ...]) -> Callable[..., int]:
    """A compiled function that reads its arrays from a table, written for their dtypes and dimensions."""
    names: dict[str, Any] = {"array_at": array_at, "kernel": kernel, "__name__": __name__}
    arrays, at = [], 0
    for i, (dtype, ndim) in enumerate(kinds):
        names[f"dtype_{i}"] = dtype
        shape = ", ".join(f"table[{at + 1 + k}]" for k in range(ndim))
        arrays.append(f"array_at(table[{at}], ({shape},), dtype_{i})")
        at += 1 + ndim
    # numba's cache tells functions apart by name, bytecode and argument types: dtypes must show in the name.
    kind = hashlib.sha256(repr([(dtype.descr, ndim) for dtype, ndim in kinds]).encode()).hexdigest()[:12]
    name = f"packed_{kernel.__name__}_{kind}"
    source = (
        f"def {name}(lo, hi, scratch, mode, actions, table):\n"
        f"    return kernel(lo, hi, scratch, mode, actions, {', '.join(arrays)})\n"
    )
    exec(compile(source, __file__, "exec"), names)
    return entry(names[name])
