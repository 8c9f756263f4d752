"""Reading of the original JSON parameter file of the cross-modal chain."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossreg.crossmodal.render.stack_store import BOX_KEYS
from crossreg.io.errors import UserError
from crossreg.io.files import read_json
from crossreg.io.schema import checked, described_keys

SCHEMA_FILE = Path(__file__).resolve().parents[2] / "schemas" / "trakem2_parameters.json"
AUTO = "auto"

Request = dict[str, Any]
"""Every frozen key, dotted inside `render`, as given; None where it was not."""


@dataclass(frozen=True)
class Parameters:
    """The parameters with their defaults; None where the default depends on the stacks.

    Lengths in px. `request` is what the frozen configuration keeps of the file.
    """

    host: str | None
    port: int | None
    owner: str | None
    project: str | None
    input_stack: str
    lm_stacks: tuple[str, ...]
    output_stack: str | None
    box: dict[str, float | None]
    min_z: float | None
    max_z: float | None
    sections: tuple[float, ...] | None
    tile: str | None
    buffersize: float
    intensity: dict[str, list[float] | str]
    sections_without_lm: str
    check_tile_images: bool
    image_paths: tuple[tuple[str, str], ...]
    request: Request
    unused: tuple[str, ...]

    @property
    def stacks(self) -> tuple[str, ...]:
        """All stacks in the order of their layers: the LM stacks, then the EM stack."""
        return (*self.lm_stacks, self.input_stack)


@functools.cache
def schema() -> dict[str, Any]:
    """Return the JSON schema of the parameter file, with a description of every key."""
    result: dict[str, Any] = read_json(SCHEMA_FILE)
    return result


def read_parameters(path: Path | str) -> Parameters:
    """Return the parameters in a file; raise UserError if it is wrong in any way."""
    return normalised(read_json(path), str(path))


def normalised(value: Any, source: str) -> Parameters:
    """Return the parameters in a JSON value; errors name `source`.

    Raises UserError for an unknown key (with the nearest known one), a wrong value, or keys
    that contradict each other.
    """
    given = checked(value, schema(), source)
    _check_combinations(given, source)
    render = given.get("render", {})
    request = {key: _at(given, key) for key in _keys("frozen")}
    effective = effective_request(request)
    return Parameters(
        host=render.get("host"),
        port=render.get("port"),
        owner=render.get("owner"),
        project=render.get("project"),
        input_stack=given["inputStack"],
        lm_stacks=tuple(effective["LMstacks"]),
        output_stack=given.get("outputStack"),
        box={key: given.get(key) for key in BOX_KEYS},
        min_z=given.get("minZ"),
        max_z=given.get("maxZ"),
        sections=tuple(sorted(given["sections"])) if "sections" in given else None,
        tile=given.get("tile"),
        buffersize=effective["buffersize"],
        intensity=effective["intensity"],
        sections_without_lm=effective["sectionsWithoutLM"],
        check_tile_images=effective["checkTileImages"],
        image_paths=tuple((rule["from"], rule["to"]) for rule in effective["imagePaths"]),
        request=request,
        unused=tuple(key for key in _keys("unused") if _at(given, key) is not None),
    )


def unused_warning(parameters: Parameters) -> str | None:
    """Return one sentence that names all keys without effect, or None if there are none."""
    if not parameters.unused:
        return None
    return f"these keys of the parameter file have no effect here: {', '.join(parameters.unused)}."


def described_parameters() -> str:
    """Return one line a key of the parameter file with its description, for a command's help."""
    return "\n".join(f"  {key}: {part['description']}" for key, part in described_keys(schema()))


def effective_request(request: Request) -> Request:
    """Return a request with the defaults that do not depend on stacks, in one form.

    Two requests ask for the same projects if their effective requests are equal.
    """
    defaults: dict[str, Any] = {
        "buffersize": 0,
        "intensity": {},
        "sectionsWithoutLM": "error",
        "checkTileImages": True,
        "imagePaths": [],
    }
    filled = {key: defaults.get(key) if value is None else value for key, value in request.items()}
    one = filled.pop("LMstack", None)
    if one is not None:
        filled["LMstacks"] = [one]
    sections = filled.get("sections")
    if sections is not None:
        filled["sections"] = sorted(sections)
    return filled


def _keys(use: str) -> list[str]:
    """Return the dotted keys that the schema says are 'frozen', 'free' or 'unused'."""
    return [key for key, part in described_keys(schema()) if part.get("x-use") == use]


def _at(given: dict[str, Any], dotted: str) -> Any:
    """Return the value of a dotted key, or None if it is not given."""
    section, _, key = dotted.rpartition(".")
    return (given.get(section, {}) if section else given).get(key)


def _check_combinations(given: dict[str, Any], source: str) -> None:
    """Raise UserError for keys that are right on their own and wrong together."""
    if ("LMstack" in given) == ("LMstacks" in given):
        raise UserError(f"{source}: give either 'LMstack' or 'LMstacks', one of them.")
    _refuse_together(given, ["sections"], ["minZ", "maxZ"], source)
    _refuse_together(given, ["tile"], list(BOX_KEYS), source)
    for low, high in (("minX", "maxX"), ("minY", "maxY")):
        if low in given and high in given and given[low] >= given[high]:
            raise UserError(
                f"{source}: '{low}' ({given[low]}) must be below '{high}' ({given[high]})."
            )
    if given.get("minZ", float("-inf")) > given.get("maxZ", float("inf")):
        raise UserError(
            f"{source}: 'minZ' ({given['minZ']}) must not be above 'maxZ' ({given['maxZ']})."
        )
    _check_stacks(given, source)


def _check_stacks(given: dict[str, Any], source: str) -> None:
    fixed = given.get("LMstacks") or [given["LMstack"]]
    if given["inputStack"] in fixed:
        raise UserError(
            f"{source}: 'inputStack' ({given['inputStack']}) is also an LM stack; a stack is either"
            " moved or fixed."
        )
    inputs = [given["inputStack"], *fixed]
    output = given.get("outputStack", "")
    if output.casefold() in (name.casefold() for name in inputs):
        raise UserError(
            f"{source}: 'outputStack' ({output}) is one of the input stacks, which are never"
            " written to; give it another name."
        )
    for name, limits in given.get("intensity", {}).items():
        if name not in inputs:
            raise UserError(
                f"{source}: 'intensity' names the stack '{name}'; there are {', '.join(inputs)}."
            )
        if limits != AUTO and limits[0] >= limits[1]:
            raise UserError(
                f"{source}: 'intensity.{name}' is {limits}; the first number must be the smaller."
            )


def _refuse_together(given: dict[str, Any], one: list[str], other: list[str], source: str) -> None:
    clash = [key for key in other if key in given]
    if clash and any(key in given for key in one):
        raise UserError(f"{source}: '{one[0]}' and '{clash[0]}' exclude each other; remove one.")
