"""The JSON of a request as TF Serving's REST API reads it: rows ("instances") or columns ("inputs").

The rules, and the words of the errors, are those of its documentation (tensorflow.org/tfx/serving/api_rest): numbers
for numbers, true and false for booleans, strings in UTF-8 or as {"b64": …}, NaN and Infinity as such; names are left
out where there is only one tensor. One rule is stricter: an integer that does not fit its type is refused, where TF
Serving would wrap it around.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
import tensorflow as tf

from kgan.serving.servable import Signature, Tensor
from kgan.serving.status import ServingError, invalid

_DECODER = json.JSONDecoder()
_SHOWN = 256  # characters of a value in an error
_PARSE_ERRORS = {
    "Expecting value": "Invalid value.",
    "Expecting ':' delimiter": "Missing a colon after a name of object member.",
    "Expecting property name enclosed in double quotes": "Missing a name for object member.",
    "Unterminated string starting at": "Missing a closing quotation mark in string.",
    "Invalid \\escape": "Invalid escape character in string.",
    "Invalid \\uXXXX escape": "Incorrect hex digit after \\u escape in string.",
    "Invalid control character at": "Invalid encoding in string.",
}
_TYPES = {
    tf.bool: {bool},
    tf.string: {str, dict},
    **dict.fromkeys((tf.float32, tf.float64), {int, float}),
    **dict.fromkeys((tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint16, tf.uint32, tf.uint64), {int}),
}
_KINDS = {dict: "Object", list: "Array", str: "String", bool: "True", int: "Number", float: "Number"}


def parse(body: bytes) -> dict[str, Any]:
    """The object that a request is; what follows it is ignored, as in TF Serving.

    Raises:
        ServingError: it is not JSON, or not an object.
    """
    try:
        value = orjson.loads(body)
        if isinstance(value, dict):
            return value
    except orjson.JSONDecodeError:
        pass  # NaN, or something after the object, or a mistake: the slower parser takes it or says what is wrong
    try:
        text = body.decode("utf-8-sig").lstrip(" \t\r\n")
    except UnicodeDecodeError as error:
        raise invalid(f"JSON Parse error: Invalid encoding in string. at offset: {error.start}") from None
    if not text:
        raise invalid("JSON Parse error: The document is empty")
    try:
        value, _ = _DECODER.raw_decode(text)
    except json.JSONDecodeError as error:
        said = _PARSE_ERRORS.get(error.msg, f"{error.msg}.")
        raise invalid(f"JSON Parse error: {said} at offset: {error.pos}") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; lists in lists in lists
        said = "nested too deeply" if isinstance(error, RecursionError) else "Number too big to be stored in double."
        raise invalid(f"JSON Parse error: {said} at offset: 0") from None
    if not isinstance(value, dict):
        raise invalid(f"JSON Value: {_shown(value)} Is not object")
    return value


def signature_name(request: Mapping[str, Any]) -> str:
    """The signature that a request names; empty for the default one."""
    name = request.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {_shown(request)} not formatted correctly. 'signature_name' key must be a string value."
        )
    return name


def check_examples(request: Mapping[str, Any]) -> None:
    """Refuse a request to classify or regress that TF Serving would not understand."""
    if "examples" not in request:
        raise invalid(
            f"JSON Value: {_shown(request)} When method is classify, key 'examples' is expected and was not found"
        )
    examples = request["examples"]
    if not isinstance(examples, list):
        raise invalid(f"JSON Value: {_shown(request)} Expecting 'examples' value to be an list/array")
    if not examples:
        raise invalid(f"JSON Value: {_shown(request)} 'examples' value is an empty array")
    for example in examples:
        if not isinstance(example, dict):
            raise invalid(f"Example must be JSON object but got JSON {_kind(example)}")


def is_row_format(request: Mapping[str, Any]) -> bool:
    """Whether a request is in rows, and so its answer.

    Raises:
        ServingError: it is in neither format, or in both.
    """
    if "instances" in request and "inputs" in request:
        raise invalid(
            f"JSON Value: {_shown(request)} Not formatted correctly expecting only one of 'inputs' or 'instances' "
            "keys to exist "
        )
    if "instances" in request:
        rows = request["instances"]
        if not isinstance(rows, list):
            raise invalid(f"JSON Value: {_shown(request)} Expecting 'instances' to be an list/array")
        if not rows:
            raise invalid(f"JSON Value: {_shown(request)} No values in 'instances' array")
        return True
    if "inputs" in request:
        return False
    raise invalid("Missing 'inputs' or 'instances' key")


def read_inputs(request: Mapping[str, Any], signature: Signature) -> dict[str, np.ndarray]:
    """The tensors of a request; strings are bytes in arrays of objects.

    Raises:
        ServingError: something is missing, or not of its type, or of no regular shape.
    """
    if not signature.inputs:
        raise invalid(f"Failed to get input map for signature: {signature.name}")
    if is_row_format(request):
        return _rows(request["instances"], signature)
    value = request["inputs"]
    if _is_object(value):
        for name in signature.inputs:
            if name not in value:
                raise invalid(f"Missing named input: {name} in 'inputs' object.")
        return {name: _array(value[name], tensor) for name, tensor in signature.inputs.items()}
    if len(signature.inputs) > 1:
        raise invalid(
            "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
            "tensorinfo_map"
        )
    ((name, tensor),) = signature.inputs.items()
    return {name: _array(value, tensor)}


def _rows(rows: list, signature: Signature) -> dict[str, np.ndarray]:
    if not _is_object(rows[0]):
        if len(signature.inputs) > 1:
            raise invalid(
                "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
                "tensorinfo_map"
            )
        for index, row in enumerate(rows):
            if _is_object(row):
                raise invalid(f"Expecting value/list but got object at item {index} of input list")
        ((name, tensor),) = signature.inputs.items()
        return {name: _array(rows, tensor, "of 'instances' list")}
    wanted = ",".join(signature.inputs)
    for index, row in enumerate(rows):
        if not _is_object(row):
            raise invalid(f"Expecting object but got list at item {index} of input list")
        for name in row:
            if name not in signature.inputs:
                raise invalid(
                    f"Failed to process element: {index} key: {name} of 'instances' list. Error: INVALID_ARGUMENT: "
                    f"JSON object: does not have named input: {name}"
                )
        if row.keys() != signature.inputs.keys():
            raise invalid(
                f"Failed to process element: {index} of 'instances' list. JSON object: {_shown(row)} keys must be "
                f"equal to: {wanted}"
            )
    return {
        name: _array([row[name] for row in rows], tensor, f"of key {name!r} in the 'instances' list")
        for name, tensor in signature.inputs.items()
    }


def _array(value: Any, tensor: Tensor, where: str = "") -> np.ndarray:
    """A value of JSON as an array of exactly this type."""
    try:
        return _exactly(value, tensor.dtype)
    except ServingError as error:
        if where:
            raise invalid(f"Failed to process element {where}. Error: INVALID_ARGUMENT: {error.message}") from None
        raise


def _exactly(value: Any, dtype: tf.DType) -> np.ndarray:
    kinds = _TYPES.get(dtype)
    if kinds is None:
        raise invalid(f"Conversion of JSON Value: {_shown(value)} to type: {dtype.name}")
    # As objects first: NumPy would take true for 1 and "1" for 1.0, and spend memory on text beside numbers.
    found = np.array(value, object)
    items = found.reshape(-1).tolist()
    if not kinds.issuperset(map(type, items)):
        raise _complaint(value, dtype)
    if dtype == tf.string:
        found = np.empty(found.shape, object)
        found.reshape(-1)[:] = [_bytes(item) for item in items]
        return found
    try:
        with np.errstate(over="ignore"):  # what is too large for a float32 is infinity
            return np.array(items, dtype.as_numpy_dtype).reshape(found.shape)
    except OverflowError:
        raise _complaint(value, dtype) from None


def _bytes(value: str | dict) -> bytes:
    if isinstance(value, dict):
        return _decoded(value)
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise invalid("JSON Parse error: The surrogate pair in string is invalid.") from None


def _decoded(value: dict) -> bytes:
    if _is_object(value):
        raise invalid(f"JSON Value: {_shown(value)} not formatted correctly for base64 data")
    text = "".join(value["b64"].split()).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid("Unable to base64 decode") from None


def _is_object(value: Any) -> bool:
    """Whether a value is an object, and not the one that stands for binary data."""
    return isinstance(value, dict) and not (value.keys() == {"b64"} and isinstance(value["b64"], str))


def _complaint(value: Any, dtype: tf.DType) -> ServingError:
    """Which value of a tensor is wrong, and why: found again one by one, as the first look is made for speed."""
    shape, inner = [], value
    while isinstance(inner, list):
        shape.append(len(inner))
        if not inner:
            break
        inner = inner[0]
    return _first_wrong(value, shape, 0, dtype) or _type_error(value, dtype)


def _first_wrong(value: Any, shape: list[int], level: int, dtype: tf.DType) -> ServingError | None:
    if isinstance(value, list):
        if level >= len(shape):
            return invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
        if len(value) != shape[level]:
            return invalid(
                f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
            )
        return next((wrong for inner in value if (wrong := _first_wrong(inner, shape, level + 1, dtype))), None)
    if level != len(shape):
        return invalid(
            f"JSON Value: {_shown(value)} found at incorrect level: {level + 1} in the JSON DOM. "
            f"Expected at level: {len(shape)}"
        )
    is_right = type(value) in _TYPES[dtype] and (not dtype.is_integer or dtype.min <= value <= dtype.max)
    return None if is_right else _type_error(value, dtype)


def _type_error(value: Any, dtype: tf.DType) -> ServingError:
    return invalid(f"JSON Value: {_shown(value)} Type: {_kind(value)} is not of expected type: {dtype.name}")


def _kind(value: Any) -> str:
    return "Null" if value is None else "False" if value is False else _KINDS[type(value)]


def _shown(value: Any) -> str:
    """The beginning of a value; only as much of it is written as is shown."""
    text = ""
    for piece in json.JSONEncoder(ensure_ascii=True).iterencode(value):
        text += piece[:_SHOWN]
        if len(text) >= _SHOWN:
            break
    return text[:_SHOWN]
