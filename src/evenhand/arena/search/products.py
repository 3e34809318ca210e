"""The two products that the search is made of, run by the ONNX runtime.

Both are near the truth, by a known bound; :mod:`evenhand.arena.search.index` says what for.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evenhand.arena.search.graph import FLOAT, FLOAT16, INT8, INT32, UINT8, graph, node, port

if TYPE_CHECKING:
    import onnxruntime as ort

__all__ = ["code_products", "in_parts", "products", "widened"]

# Numbers converted at a time: as float32 they are 512 KiB, which stays in a core's cache.
IN_CACHE = 1 << 17
MOST_THREADS = 8


def products(
    rows: NDArray[np.float16], vector: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    """``out[i] = rows[i] @ vector`` in float32; shapes (n, dim), (dim,) and (n,)."""
    session, column = _float_session(), np.ascontiguousarray(vector, np.float32)[:, None]
    step = max(16, IN_CACHE // rows.shape[1])
    for at in range(0, len(rows), step):
        block = np.ascontiguousarray(rows[at : at + step])
        (found,) = session.run(None, {"rows": block, "vector": column})
        out[at : at + step] = found[:, 0]


def widened(rows: NDArray[np.float16]) -> NDArray[np.float32]:
    """The rows as float32; an order of magnitude faster than numpy where it lacks F16C."""
    (found,) = _cast_session().run(None, {"rows": np.ascontiguousarray(rows)})
    wide: NDArray[np.float32] = found
    return wide


def code_products(codes: NDArray[np.uint8], columns: NDArray[np.int8]) -> NDArray[np.int32]:
    """``codes @ columns``, exact; shapes (n, dim) and (dim, k).

    Without VNNI the runtime adds pairs of products in 16 bits and lets them saturate: keep
    ``columns`` within -64 to 64, as 2 * 255 * 64 < 2 ** 15.
    """
    (found,) = _code_session().run(None, {"codes": codes, "columns": columns})
    whole: NDArray[np.int32] = found
    return whole


def in_parts(n: int, work: Callable[[int, int], None], *, few: int = 4096) -> None:
    """Call ``work(start, end)`` for parts of ``range(n)``, at the same time unless it is ``few``."""
    parts = n_threads()
    if n < few or parts == 1:
        work(0, n)
        return
    edges = [n * at // parts for at in range(parts + 1)]
    list(_threads().map(work, edges[:-1], edges[1:]))


@cache
def n_threads() -> int:
    """Processors this process may use, at most eight."""
    return min(MOST_THREADS, len(os.sched_getaffinity(0)))


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(n_threads(), thread_name_prefix="search")


def _session(raw: bytes) -> ort.InferenceSession:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(raw, options, providers=["CPUExecutionProvider"])


@cache
def _float_session() -> ort.InferenceSession:
    wide, product = (
        node("Cast", ("rows",), "wide", to=FLOAT),
        node("MatMul", ("wide", "vector"), "y"),
    )
    inputs = (port("rows", FLOAT16, ("n", "dim")), port("vector", FLOAT, ("dim", 1)))
    return _session(graph((wide, product), inputs, (port("y", FLOAT, ("n", 1)),)))


@cache
def _cast_session() -> ort.InferenceSession:
    wide = node("Cast", ("rows",), "wide", to=FLOAT)
    shape = ("n", "dim")
    return _session(graph((wide,), (port("rows", FLOAT16, shape),), (port("wide", FLOAT, shape),)))


@cache
def _code_session() -> ort.InferenceSession:
    product = node("MatMulInteger", ("codes", "columns"), "y")
    inputs = (port("codes", UINT8, ("n", "dim")), port("columns", INT8, ("dim", "k")))
    return _session(graph((product,), inputs, (port("y", INT32, ("n", "k")),)))
