"""The JSON of an answer as TF Serving's REST API writes it: rows ("predictions") or columns ("outputs").

The rules are those of its documentation (tensorflow.org/tfx/serving/api_rest): NaN and Infinity as such, and strings as
{"b64": …} where the name of the tensor ends in `_bytes`.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from kgan.serving.status import invalid


def write_outputs(outputs: Mapping[str, np.ndarray], in_rows: bool) -> bytes:
    """The JSON of an answer.

    Raises:
        ServingError: in rows, but the outputs have none, or not as many each.
    """
    if in_rows:
        size = None
        for name, value in outputs.items():
            if not value.ndim:
                raise invalid(f"Tensor name: {name} has no shape information")
            if size is not None and len(value) != size:
                raise invalid(f"Tensor name: {name} has inconsistent batch size: {len(value)} expecting: {size}")
            size = len(value)
    if len(outputs) == 1:
        ((name, value),) = outputs.items()
        answer = _json(name, value)
    elif in_rows:
        lists = {name: _plain(name, value) for name, value in outputs.items()}
        rows = [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
        answer = json.dumps(rows, ensure_ascii=False).encode()
    else:
        texts = [json.dumps(name).encode() + b": " + _json(name, value) for name, value in outputs.items()]
        answer = b"{" + b", ".join(texts) + b"}"
    return b'{\n    "%b": %b\n}' % (b"predictions" if in_rows else b"outputs", answer)


def _json(name: str, value: np.ndarray) -> bytes:
    """The text of an array."""
    if not _is_finite(value):
        return json.dumps(_plain(name, value), ensure_ascii=False).encode()
    if value.ndim < 2 or value.shape[-1] != 1 or not value.size:
        return _numbers(value).replace(b",", b", ")
    # Grey pictures: brackets around each number would take longer than all the rest, so they are put in afterwards,
    # one more wherever a list ends and the next begins.
    return b"[" + _numbers(value[..., 0]).replace(b",", b"], [") + b"]"


def _is_finite(value: np.ndarray) -> bool:
    """Whether an array has nothing but numbers that JSON has."""
    return value.dtype.kind in "iu" or value.dtype in (np.float32, np.float64) and bool(np.isfinite(value).all())


def _numbers(value: np.ndarray) -> bytes:
    """JSON of finite numbers; of float32 the shortest digits that give it back, not the many of its float64."""
    return orjson.dumps(np.ascontiguousarray(value) if value.ndim else value[()], option=orjson.OPT_SERIALIZE_NUMPY)


def _plain(name: str, value: np.ndarray) -> Any:
    """An array as lists."""
    if value.dtype == object:
        is_binary = name.endswith("_bytes")
        flat = np.empty(value.size, object)
        flat[:] = [_text(item, is_binary) for item in value.reshape(-1)]
        return flat.reshape(value.shape).tolist()
    if value.dtype == np.float32:
        if _is_finite(value):
            return orjson.loads(_numbers(value))
        return np.array([float(str(item)) for item in value.reshape(-1)]).reshape(value.shape).tolist()
    if value.dtype.kind in "iub" or value.dtype == np.float64:
        return value.tolist()
    raise invalid(f"Failed to write JSON value for tensor type: {value.dtype.name}")


def _text(value: bytes, is_binary: bool) -> Any:
    """Bytes as TF Serving writes them; those that are no text, and would break the JSON, as if they were binary."""
    if not is_binary:
        try:
            return value.decode()
        except UnicodeDecodeError:
            pass
    return {"b64": base64.b64encode(value).decode()}
