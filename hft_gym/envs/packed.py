"""Calling a kernel of many arrays with one argument: a table of their addresses and shapes.

A call of a compiled function unpacks each array argument, at some 75 ns apiece; for the forty arrays
of an environment that is more than the step itself takes. A kernel that takes one small array of integers instead and
makes the others anew from it (:func:`array_at`) pays nothing measurable.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hft_gym._jit import JIT_DISABLED

if JIT_DISABLED:

    def array_at(address: Any, shape: Any, dtype: Any) -> NDArray[Any]:
        """C-contiguous array of *dtype* and *shape* at *address*; it owns nothing."""
        size = math.prod(int(n) for n in shape) * np.dtype(dtype).itemsize
        return np.ndarray([int(n) for n in shape], dtype, buffer=(ctypes.c_char * size).from_address(int(address)))

else:
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


COLUMNS = 4
"""Of the table: an address and up to three lengths."""


def table_of(arrays: Sequence[NDArray[Any]], dtypes: Sequence[np.dtype[Any]]) -> NDArray[np.int64]:
    """Address and shape of each array, one a row. The arrays must outlive the table and stay in place.

    :param dtypes: what the kernel takes each row for.
    :raises ValueError: an array that the kernel would misread.
    """
    table = np.zeros((len(arrays), COLUMNS), np.int64)
    for row, array, dtype in zip(table, arrays, dtypes, strict=True):
        if not array.flags.c_contiguous or not array.flags.writeable:
            raise ValueError(f"packed arrays must be C-contiguous and writeable, got {array.flags}")
        if array.dtype != dtype or array.ndim >= COLUMNS:
            raise ValueError(f"packed array {array.dtype} of {array.ndim} dimensions; the kernel takes {dtype}")
        row[0] = array.ctypes.data
        row[1 : 1 + array.ndim] = array.shape
    return table
