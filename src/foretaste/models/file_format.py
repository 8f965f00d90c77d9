"""The header of a model file: format, fields and blocks, and its translation from format 1.

The header is a JSON object under the key ``foretaste`` of the file's safetensors metadata. Format 2 lists
the blocks of the file, each with a version and whether a reader must understand it. Block ``state`` is what
the model learned: the tensors whose names have no slash. Tensors of another block are named ``BLOCK/NAME``.
Format 1, written by version 0.1.0, has no list of blocks and the names of that version.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foretaste.errors import ModelFileError
from foretaste.models.renames import rename_attributes, rename_params

FORMAT = 2
HEADER_KEY = "foretaste"
FIT_HINT = "foretaste fit MODEL ratings.csv -o model.foretaste"
STATE_BLOCKS = {"state": {"version": 1, "required": True}}

_UPGRADE_HINT = "pip install --upgrade foretaste"
_FIELDS: dict[str, type] = {"format": int, "library": str, "model": str, "params": dict, "learned": dict}
_SUPPORTED_BLOCKS = {"state": 1}  # highest version of each that this library reads

log = logging.getLogger("foretaste")


def parse_header(path: Path, metadata: Mapping[str, str] | None) -> dict[str, Any]:
    """Return the header of a model file, checked; one of format 1 in the names of today.

    Returns
    -------
    dict
        ``format``, ``library``, ``model``, ``params``, ``learned`` and ``blocks``.

    Raises
    ------
    ModelFileError
        If there is none, it is malformed, or the file needs a newer version of this library.
    """
    if not metadata or HEADER_KEY not in metadata:
        raise ModelFileError(f"{path} is a safetensors file, but no foretaste model", hint=FIT_HINT)
    try:
        header = json.loads(metadata[HEADER_KEY], parse_constant=_reject_constant)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(
            f"{path} is damaged: its header cannot be read ({error})", hint=FIT_HINT
        ) from error
    file_format = header.get("format") if isinstance(header, dict) else None
    if type(file_format) is int and file_format > FORMAT:
        raise ModelFileError(
            f"{path} has format {file_format}, written by foretaste {str(header.get('library'))[:40]}; "
            f"this version reads formats up to {FORMAT}",
            hint=_UPGRADE_HINT,
        )
    fields = _FIELDS if file_format == 1 else _FIELDS | {"blocks": dict}
    if (
        not isinstance(header, dict)
        or set(header) != set(fields)
        or any(type(header[name]) is not type_ for name, type_ in fields.items())
        or file_format not in (1, FORMAT)
    ):
        raise ModelFileError(f"{path} is damaged: its header is not that of a model", hint=FIT_HINT)
    if file_format == FORMAT:
        _check_blocks(path, header)
        return dict(header)
    params = rename_params(header["model"], header["params"])
    learned = rename_attributes(header["model"], params, header["learned"])
    return dict(header) | {"params": params, "learned": learned, "blocks": STATE_BLOCKS}


def select_state(header: Mapping[str, Any], tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tensors of block ``state`` under their names of today; other listed blocks are left out."""
    ignored = tuple(f"{name}/" for name in header["blocks"] if name != "state")
    state = {name: tensor for name, tensor in tensors.items() if not name.startswith(ignored)}
    if header["format"] == 1:
        return rename_attributes(header["model"], header["params"], state)
    return state


def _check_blocks(path: Path, header: Mapping[str, Any]) -> None:
    """Raise for a required block that this library does not read; log optional ones, which are ignored."""
    blocks = header["blocks"]
    for name, block in blocks.items():
        is_valid = isinstance(block, dict) and set(block) == {"version", "required"}
        if not is_valid or type(block["version"]) is not int or type(block["required"]) is not bool:
            raise ModelFileError(f"{path} is damaged: its header is not that of a model", hint=FIT_HINT)
        if 1 <= block["version"] <= _SUPPORTED_BLOCKS.get(name, 0):
            continue
        label = f"block {name[:100]!r} version {block['version']}"
        if block["required"]:
            raise ModelFileError(
                f"{path} needs {label}, written by foretaste {header['library'][:40]}; "
                "this version does not read it",
                hint=_UPGRADE_HINT,
            )
        log.warning("%s has %s, which this version does not read; it is ignored", path, label)
    if blocks.get("state", {}).get("required") is not True:
        raise ModelFileError(f"{path} is damaged: its header is not that of a model", hint=FIT_HINT)


def _reject_constant(word: str) -> float:
    raise ValueError(f"{word} is no number of a model")
