"""Two small ONNX graphs that the search runs, written by hand.

numpy has no fast path for float16 or int8 on a processor; the runtime that the encoders need
anyway has both. Source: the ONNX specification, ``onnx.proto`` (field numbers) and operators
``Cast`` (13), ``MatMul`` (13), ``MatMulInteger`` (10).
"""

from __future__ import annotations

__all__ = ["FLOAT", "FLOAT16", "INT8", "INT32", "INT64", "UINT8", "field", "graph", "node", "port"]

# TensorProto.DataType
FLOAT, UINT8, INT8, INT32, INT64, FLOAT16 = 1, 2, 3, 6, 7, 10

IR_VERSION, OPSET = 8, 17


def field(number: int, value: int | str | bytes) -> bytes:
    """One field of a protocol buffer: a whole number, or bytes with their length before them.

    Example:
        >>> field(1, 150).hex(), field(2, "testing").hex()
        ('089601', '120774657374696e67')
    """
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(raw)) + raw


def node(op: str, inputs: tuple[str, ...], output: str, **attributes: int) -> bytes:
    """A NodeProto with whole numbers as attributes."""
    raw = b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, op)
    for name, value in attributes.items():
        raw += field(5, field(1, name) + field(3, value) + field(20, 2))
    return raw


def port(name: str, kind: int, shape: tuple[int | str, ...]) -> bytes:
    """A ValueInfoProto: an input or output; a text in ``shape`` is any size."""
    sizes = (field(1, n) if isinstance(n, int) else field(2, n) for n in shape)
    dims = b"".join(field(1, size) for size in sizes)
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, dims)))


def graph(
    nodes: tuple[bytes, ...],
    inputs: tuple[bytes, ...],
    outputs: tuple[bytes, ...],
    constants: tuple[bytes, ...] = (),
) -> bytes:
    """A ModelProto; ``constants`` are TensorProtos."""
    parts = ((1, nodes), (5, constants), (11, inputs), (12, outputs))
    body = b"".join(field(number, raw) for number, part in parts for raw in part)
    return (
        field(1, IR_VERSION)
        + field(7, body + field(2, "search"))
        + field(8, field(1, "") + field(2, OPSET))
    )


def _varint(n: int) -> bytes:
    """Seven bits at a time, the lowest first."""
    raw = bytearray()
    while n > 127:
        raw.append(n & 127 | 128)
        n >>= 7
    return bytes((*raw, n))
