"""A hash of what a script does, blind to comments, docstrings, layout and time stamps."""

import ast
import functools
import hashlib
from pathlib import Path

PACKAGE_FOLDER = Path(__file__).resolve().parents[2]
PACKAGE = PACKAGE_FOLDER.name


def code_hash(script: Path | str) -> str:
    """Return a hash of the script and of the modules that it imports.

    Modules are those of this package and those beside the script, and imports are followed
    through them. Two versions have the same hash exactly if their
    syntax trees without docstrings are equal.
    """
    digest = hashlib.sha256()
    for path in sorted(_with_imports(Path(script).resolve())):
        digest.update(path.name.encode())
        digest.update(" ".join(_syntax(path).parts).encode())
    return digest.hexdigest()[:16]


def _with_imports(script: Path) -> set[Path]:
    """Return the script and every module that it imports, directly or not."""
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting.extend(_imported(path))
    return found


@functools.cache
def _imported(path: Path) -> tuple[Path, ...]:
    """Return the files of the modules that `path` imports itself."""
    files = (_file_of(name, path.parent) for name in sorted(_syntax(path).imported))
    return tuple(file for file in files if file is not None)


def _file_of(module: str, beside: Path) -> Path | None:
    """Return the file of a module of the package or of the folder `beside`; None if of neither."""
    first, *rest = module.split(".")
    base = PACKAGE_FOLDER.joinpath(*rest) if first == PACKAGE else beside / first
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if base != PACKAGE_FOLDER and candidate.is_file():
            return candidate
    return None


class _Syntax:
    """The syntax tree of a file as text, without docstrings and positions, and what it imports."""

    def __init__(self, tree: ast.Module) -> None:
        self.parts: list[str] = []
        self.imported: set[str] = set()
        self._add(tree)

    def _add(self, node: ast.AST) -> None:
        """Add a node and all below it, in one pass: all files take a tenth of a dry run."""
        if isinstance(node, ast.Import):
            self.imported.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            self.imported.add(node.module)
            self.imported.update(f"{node.module}.{alias.name}" for alias in node.names)
        self.parts.append(type(node).__name__)
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, ast.AST):
                self._add(value)
            elif isinstance(value, list):
                self.parts.append("[")
                for part in value:
                    if not isinstance(part, ast.AST):
                        self.parts.append(repr(part))
                    elif not _is_bare_text(part):
                        self._add(part)
                self.parts.append("]")
            else:
                self.parts.append(repr(value))


@functools.cache
def _syntax(path: Path) -> _Syntax:
    return _Syntax(ast.parse(path.read_text(encoding="utf-8"), filename=str(path)))


def _is_bare_text(statement: ast.AST) -> bool:
    """Return whether a statement is only a string: a docstring, or text without effect."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
