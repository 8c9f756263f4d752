"""Reading and writing of files at the edge: whole or not at all."""

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from crossreg.io.errors import UserError

TEMPORARY_PREFIX = ".unfinished-"
# Half of a pair of escapes that together stand for one sign; alone it is no text.
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def stamp_of(path: Path | str) -> str:
    """Return size and time stamp of a file, by which also an older replacement is seen.

    Of an image store, which is a folder, that is a hash over all its files. Raises OSError if the
    path is not there.
    """
    status = os.stat(path)
    if not stat.S_ISDIR(status.st_mode):
        return f"{status.st_size} {status.st_mtime_ns}"
    digest = hashlib.sha256()
    for line in sorted(_stamps_below(os.fspath(path), "")):
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()[:32]


def _stamps_below(folder: str, below: str) -> Iterator[str]:
    """Yield path, size and time stamp of every file below a folder."""
    with os.scandir(folder) as entries:
        for entry in entries:
            name = f"{below}/{entry.name}"
            if entry.is_dir():
                yield from _stamps_below(entry.path, name)
            else:
                status = entry.stat()
                yield f"{name} {status.st_size} {status.st_mtime_ns}\n"


@contextlib.contextmanager
def whole(path: Path | str, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it to `path` when the block succeeds.

    No reader ever sees half a file; if `durable`, not even after a crash of the machine, which
    costs the time of a disk to write it. The temporary name
    depends on `path` only, so the rerun of a killed job replaces what it left behind. It keeps the
    suffix, which writers look at. An OSError of the block names `path`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(TEMPORARY_PREFIX + path.name)
    try:
        yield temporary
        # Else a crash may leave an empty file under the final name.
        if durable:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename is None:
            # numpy only says how many of its numbers could be written.
            error.errno = error.errno or errno.ENOSPC
            error.filename = str(path)
        elif isinstance(error, OSError) and error.filename in (temporary, str(temporary)):
            # A user asked for the file itself and does not know the temporary one.
            error.filename = str(path)
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path | str, text: str, durable: bool = True) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all; see `whole`."""
    with whole(path, durable) as temporary:
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

    Raises UserError if it is missing or not JSON, has a key twice in one object, holds NaN,
    Infinity or a number beyond double precision, or half of a sign.
    """
    text = read_text(path)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refused_number,
            parse_int=_whole_number,
            parse_float=_finite_number,
        )
        if SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path}: not valid JSON at line {error.lineno}, column {error.colno} ({error.msg});"
            " correct the file there."
        ) from None
    except UnicodeEncodeError:
        raise UserError(f"{path}: a text holds half a sign (as \\ud800); write it out.") from None
    except _RefusedError as refusal:
        raise UserError(f"{path}: {refusal}") from None
    except RecursionError:
        raise UserError(f"{path}: the JSON is nested too deeply to be read.") from None


class _RefusedError(Exception):
    """What is wrong in a JSON file, without its name."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise _RefusedError(f"the key '{twice}' stands twice; remove one of them.")
    return result


def _refused_number(digits: str) -> NoReturn:
    raise _RefusedError(f"{digits[:20]} is no finite number; correct it.")


def _finite_number(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _refused_number(digits)


def _whole_number(digits: str) -> int:
    _finite_number(digits)
    return int(digits)
