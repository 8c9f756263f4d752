"""What is checked in the text of a configuration file, since its values no longer show it."""

from collections.abc import Iterator
from pathlib import Path

import yaml

from crossreg.io.errors import UserError
from crossreg.io.files import read_json, read_text


def check_keys_stand_once(path: Path | str) -> None:
    """Raise UserError if a key stands twice in one section of a YAML or JSON file.

    YAML's readers keep the last value without a word.
    """
    try:
        root = yaml.compose(read_text(path), Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        read_json(path)
        return
    for section in _sections(root):
        seen: set[str] = set()
        for key, _ in section.value:
            name = str(key.value)
            if name in seen:
                line = key.start_mark.line + 1
                raise UserError(
                    f"{path}: the key '{name}' stands twice (again in line {line}); remove one."
                )
            seen.add(name)


def _sections(root: yaml.Node | None) -> Iterator[yaml.MappingNode]:
    """Yield all sections below a node, each once: aliases could repeat them without end."""
    waiting = [root]
    visited: set[int] = set()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in visited or isinstance(node, yaml.ScalarNode):
            continue
        visited.add(id(node))
        if isinstance(node, yaml.MappingNode):
            yield node
            waiting += [value for _, value in node.value]
        else:
            waiting += node.value
