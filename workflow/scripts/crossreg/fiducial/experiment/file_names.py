"""What the name of a file says: ROI, cycle, channel and run number, by expression or template.

A name is parsed here and nowhere else; what it says travels in the sheet of samples.
"""

import itertools
import os
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from crossreg.io.errors import UserError
from crossreg.io.schema import nearest

FIELDS = ("roi", "cycle", "channel", "run")
TOKEN = re.compile(r"\{([^{}]*)\}|(\*)")
ONLY_ROI = "1"
"""Name of the ROI where names of files do not speak of ROIs."""


@dataclass(frozen=True)
class FileName:
    """What a name says; None for a channel or run of which it does not speak."""

    roi: str
    cycle: str
    channel: str | None = None
    run: str | None = None


@dataclass(frozen=True)
class FileNames:
    """How the files of an experiment are named.

    `on` says whether the pattern is about the base name or about the end of the whole path.
    `key` names the configuration's key, for errors.
    """

    pattern: re.Pattern[str]
    on: Literal["name", "path"]
    key: str
    has_channel: bool

    def parsed(self, path: str) -> FileName | None:
        """Return what a path says; None if it is not named so.

        The ending counts in upper and lower case: a single .TIF among .tif is no gap.
        """
        text = _with_small_ending(path)
        if self.on == "name":
            text = os.path.basename(text)
        match = self.pattern.search(text.replace(os.sep, "/"))
        if match is None:
            return None
        groups = match.groupdict()
        roi, cycle = groups.get("roi", ONLY_ROI), groups["cycle"]
        if not roi or not cycle or (self.has_channel and not groups.get("channel")):
            return None
        return FileName(
            roi, cycle, groups.get("channel"), groups.get("run", groups.get("runNumber"))
        )


def _with_small_ending(path: str) -> str:
    """Return a path, or the end of one, with its last ending in small letters."""
    stem, dot, suffix = path.rpartition(".")
    return stem + dot + (suffix.lower() if dot and "/" not in suffix else suffix)


def names_by_expression(expression: str) -> FileNames:
    """Return the names that pyHiM's regular expression describes: it is searched in base names."""
    return FileNames(re.compile(expression), "name", "fileNameRegExp", True)


def names_by_template(template: str) -> FileNames:
    """Return the names that a template such as `Exp_{roi}/round{cycle}_{channel}.tif` describes.

    A field stands for one or more signs within one name, `*` for any signs or none. Folders in
    front of the template may be any. Raises UserError if it cannot be read.
    """
    seen: set[str] = set()
    parts: list[str] = []
    last_end = 0
    for token in TOKEN.finditer(template):
        literal = template[last_end : token.start()]
        if parts and not literal:
            raise UserError(
                f"file_names: '{template}' has two parts that are not fixed side by side, so that"
                " nobody knows where one ends; write what stands between them."
            )
        parts += [re.escape(literal), _expression_of(token, template, seen)]
        last_end = token.end()
    ending = template[last_end:]
    if "{" in ending or "}" in ending:
        raise UserError(f"file_names: '{template}' has a brace without its partner; correct it.")
    if "cycle" not in seen:
        raise UserError(
            f"file_names: '{template}' lacks {{cycle}}; write it where the cycle stands."
        )
    body = "".join(parts) + re.escape(_with_small_ending(ending))
    return FileNames(re.compile(f"(?:^|/){body}$"), "path", "file_names", "channel" in seen)


def _expression_of(token: re.Match[str], template: str, seen: set[str]) -> str:
    """Return the regular expression of a field or of `*`; a field's second use repeats its text."""
    name = token[1]
    if name is None:
        return "[^/]*?"
    if name not in FIELDS:
        guess = nearest(name, list(FIELDS))
        advice = (
            f"did you mean {{{guess}}}?" if guess else "known are {roi}, {cycle}, {channel}, {run}."
        )
        raise UserError(f"file_names: '{template}' has the unknown part {{{name}}}; {advice}")
    if name in seen:
        return f"(?P={name})"
    seen.add(name)
    return f"(?P<{name}>[^/]+?)"


# --- A template that would fit, for the error that says that none does ---------------------------

WORDS = {
    "roi": (
        "roi",
        "pos",
        "position",
        "fov",
        "field",
        "xy",
        "site",
        "point",
        "series",
        *("sample", "slide", "section", "well", "chamber", "cell", "embryo", "animal", "brain"),
        "s",
        "f",
        "p",
    ),
    "cycle": ("cycle", "cyc", "round", "rnd", "rt", "hyb", "imaging", "time", "r", "h", "t"),
    "channel": ("channel", "chan", "ch", "c", "w", "wavelength"),
}
DYES = re.compile(
    r"dapi|hoechst|gfp|rfp|yfp|cfp|fitc|tritc|txred|cy\d|mcherry|(?:alexa|a|af)\d{3}|atto\d{3}"
    r"|(?:405|445|473|488|514|532|546|555|561|568|594|633|635|637|640|642|647|660|730|750)(?:nm)?",
    re.IGNORECASE,
)
FIDUCIALS = re.compile(r"fid|bead", re.IGNORECASE)
SEPARATOR = re.compile(r"([_\-. /]+)")
NUMBERED_WORD = re.compile(r"([A-Za-z]+)(\d+)")


MOST_FOLDERS = 3
SHORTEST_PART = 3
"""Letters of a word that is recognized in a longer one."""


def suggested_template(paths: Sequence[str]) -> str | None:
    """Return a template that would fit most of these paths; None if none can be guessed.

    Folders become part of it where base names alone do not tell the files apart.
    """
    best = None
    depths = range(MOST_FOLDERS + 1 if len(paths) > 1 else 1)
    for folders, trusted in itertools.product(depths, (("roi", "channel"), ())):
        names = ["/".join(path.split(os.sep)[-1 - folders :]) for path in paths]
        template = _template_of(names, trusted)
        if template is None:
            continue
        parsed = [name for path in names if (name := names_by_template(template).parsed(path))]
        if len(set(parsed)) == len(parsed):
            return template
        best = best or template
    return best


def _template_of(names: Sequence[str], trusted: Collection[str]) -> str | None:
    """Return a template that would fit most of these names; None if none can be guessed.

    `trusted` are the fields that a word may be, although it is the same in all names.
    """
    groups: dict[tuple[str, ...], list[list[str]]] = {}
    for name in names:
        parts = SEPARATOR.split(name)
        groups.setdefault(tuple(parts[1::2]), []).append(parts[0::2])
    if not groups:
        return None
    separators, rows = max(groups.items(), key=lambda group: len(group[1]))
    columns = [list(dict.fromkeys(column)) for column in zip(*rows, strict=True)]
    if len(columns) < 2:
        return None
    kinds = _kinds(columns, trusted)
    if "cycle" not in kinds:
        return None
    words = [
        _word(column, kind) if kind else (column[0] if len(column) == 1 else "*")
        for column, kind in zip(columns, kinds, strict=True)
    ]
    template = "".join(
        word + (separators[index] if index < len(separators) else "")
        for index, word in enumerate(words)
    )
    fitting = names_by_template(template)
    return template if any(fitting.parsed(name) for name in names) else None


def _kinds(columns: list[list[str]], trusted: Collection[str]) -> list[str]:
    """Return which field each word of the names is; "" for none. The last one is the ending.

    What varies comes first; a word that is the same in all names is no cycle where another varies.
    """
    kinds = ["" for _ in columns]
    varying = [index for index, column in enumerate(columns[:-1]) if len(column) > 1]
    same = [index for index, column in enumerate(columns[:-1]) if len(column) == 1]
    _name(kinds, columns, varying, WORDS)
    _name(kinds, columns, same, trusted)
    for index in varying:
        if not kinds[index] and "channel" not in kinds and _is_channel(columns[index]):
            kinds[index] = "channel"
    # What varies and says nothing of itself: the cycle first, then the ROI.
    for kind in ("cycle", "roi"):
        unknown = [index for index in varying if not kinds[index]]
        if kind not in kinds and unknown:
            kinds[max(unknown, key=lambda index: len(columns[index]))] = kind
    if "cycle" not in kinds and "channel" in kinds:
        kinds[kinds.index("channel")] = "cycle"  # rounds may be named like dyes
    _name(kinds, columns, same, WORDS)
    return kinds


def _is_channel(column: Sequence[str]) -> bool:
    """Return whether words are names of channels, one of them that of the fiducial.

    A cycle may be named after the fiducial as well, among others that say that they are cycles.
    """
    others = [word for word in column if not FIDUCIALS.search(word)]
    return len(others) < len(column) and all(_kind_of([word], "") != "cycle" for word in others)


def _name(
    kinds: list[str], columns: list[list[str]], indices: Iterable[int], wanted: Collection[str]
) -> None:
    """Say which wanted field these words are, if they, or the words before them, say so."""
    for index in indices:
        before = columns[index - 1][0] if index and len(columns[index - 1]) == 1 else ""
        kind = _kind_of(columns[index], before)
        if kind in wanted and kind not in kinds:
            kinds[index] = kind


def _kind_of(column: list[str], before: str) -> str:
    """Return what the words at one position are, by themselves or by the word before."""
    if all(DYES.fullmatch(word) for word in column):
        return "channel"
    numbered = [NUMBERED_WORD.fullmatch(word) for word in column]
    prefixes = {match[1].lower() for match in numbered if match}
    if len(prefixes) == 1 and all(numbered):
        prefix = prefixes.pop()
    elif all(word.isdigit() for word in column):
        prefix = before.lower()
    else:
        return ""
    return next(
        (kind for kind, words in WORDS.items() if any(_is_of(prefix, word) for word in words)), ""
    )


def _is_of(prefix: str, word: str) -> bool:
    """Return whether a prefix is a word, or a longer one made of it: HybCycle, WellA."""
    made_of = len(word) >= SHORTEST_PART and (prefix.startswith(word) or prefix.endswith(word))
    return prefix == word or made_of


def _word(column: list[str], kind: str) -> str:
    """Return a word with the part that varies, or its number, as a field."""
    match = NUMBERED_WORD.fullmatch(column[0])
    if match and all(word.startswith(match[1]) for word in column) and kind != "channel":
        return f"{match[1]}{{{kind}}}"
    return f"{{{kind}}}"
