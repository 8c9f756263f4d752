"""Reading and writing of files at the edge: whole or not at all."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crossreg.errors import UserError

TEMPORARY_PREFIX = ".unfinished-"


@contextlib.contextmanager
def whole(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it to `path` when the block succeeds.

    No reader ever sees half a file. The temporary name depends on `path` only, so the rerun of
    a killed job replaces what it left behind. It keeps the suffix, which writers look at.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(TEMPORARY_PREFIX + path.name)
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path | str, text: str) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all."""
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_text_if_new(path: Path | str, text: str) -> None:
    """Write `text` to `path`, unless the file says just that: its time stamp then stays."""
    path = Path(path)
    if not path.is_file() or path.read_bytes() != text.encode():
        write_text(path, text)


def write_json(path: Path | str, value: Any, indent: int | None = 4) -> None:
    """Write `value` to `path` as JSON with sorted keys, whole or not at all."""
    text = json.dumps(value, indent=indent, sort_keys=True, allow_nan=False, ensure_ascii=False)
    write_text(path, text + "\n")


def read_text(path: Path | str) -> str:
    """Return the text of a UTF-8 file (a byte order mark is dropped).

    Raises UserError if the file is missing, unreadable or not UTF-8.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file; check the path.") from None
    except IsADirectoryError:
        raise UserError(f"{path}: this is a folder, but a file is needed here.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: the file is not UTF-8 text; save it as UTF-8.") from None
    except OSError as error:
        raise UserError(f"{path}: the file cannot be read ({error.strerror}).") from None


def read_json(path: Path | str) -> Any:
    """Return the content of a JSON file.

    Raises UserError if it is missing or not JSON, has a key twice in one object, or holds NaN
    or Infinity, which JSON does not know.
    """
    text = read_text(path)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in pairs:
            if key in result:
                raise UserError(f"{path}: the key '{key}' stands twice; remove one of them.")
            result[key] = value
        return result

    def refuse(constant: str) -> None:
        raise UserError(f"{path}: {constant} is not a JSON number; write a finite number.")

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path}: not valid JSON at line {error.lineno}, column {error.colno} ({error.msg});"
            " correct the file there."
        ) from None
    except RecursionError:
        raise UserError(f"{path}: the JSON is nested too deeply to be read.") from None
