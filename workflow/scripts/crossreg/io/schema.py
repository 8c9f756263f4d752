"""Checking of configurations against a JSON schema, with errors in plain sentences."""

import copy
import difflib
import math
from collections.abc import Iterator
from typing import Any

from crossreg.io.errors import UserError

KINDS = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "a section with keys",
    "string": "text",
}


def checked(value: Any, schema: dict[str, Any], source: str) -> Any:
    """Return a copy of `value` with the schema's defaults filled in; 2.0 becomes 2 if whole.

    Raises UserError for the first fault, in a sentence that names `source` (a file), the key,
    the value and what is allowed. Unknown keys are faults where the schema says
    `additionalProperties: false`.
    """
    import jsonschema  # only who checks needs it: jobs of a cycle do not

    # YAML and Python's JSON know .nan and .inf, which no comparison with a limit refuses.
    numbers = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("number", _is_number)
    extend: Any = jsonschema.validators.extend  # which has no types
    validator = extend(jsonschema.Draft202012Validator, type_checker=numbers)(schema)
    faults = sorted(validator.iter_errors(value), key=lambda fault: [str(p) for p in fault.path])
    if faults:
        raise UserError(f"{source}: {_sentence(faults[0])}")
    return _completed(copy.deepcopy(value), schema)


def nearest(word: str, known: list[str]) -> str | None:
    """Return the known word that `word` is most likely a misspelling of, or None."""
    lowered = {name.lower(): name for name in known}
    matches = difflib.get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.75)
    return lowered[matches[0]] if matches else None


def described_keys(
    schema: dict[str, Any], prefix: str = ""
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (dotted key, its schema) for every key that the schema names, sections included."""
    for key, part in schema.get("properties", {}).items():
        yield prefix + key, part
        yield from described_keys(part, f"{prefix}{key}.")


def allowed(schema: dict[str, Any]) -> str:
    """Return in words which values a key's schema allows."""
    if "enum" in schema:
        return "one of " + ", ".join(_shown(choice) for choice in schema["enum"])
    kinds = schema.get("type", [])
    words = " or ".join(KINDS[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds))
    limits = [
        f"{phrase} {schema[name]}"
        for name, phrase in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
        )
        if name in schema
    ]
    return " ".join([words or "a value of another kind", *limits])


def _is_number(checker: Any, value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _shown(value: Any) -> str:
    words = {True: "true", False: "false", None: "null"}
    return words[value] if isinstance(value, bool | None) else repr(value)


def _sentence(fault: Any) -> str:
    """Return one plain sentence for a jsonschema.ValidationError."""
    key = ".".join(str(part) for part in fault.absolute_path)
    if fault.validator == "additionalProperties":
        return _unknown_key(fault, key)
    if fault.validator == "required":
        missing = next(name for name in fault.validator_value if name not in fault.instance)
        return f"the key '{f'{key}.{missing}' if key else missing}' is missing; add it."
    told = fault.schema.get("errorMessage") or f"it must be {allowed(fault.schema)}"
    shown = repr(fault.instance)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return f"the key '{key}' has the value {shown}; {told}." if key else f"{told}."


def _unknown_key(fault: Any, section: str) -> str:
    known = list(fault.schema.get("properties", {}))
    unknown = next(name for name in fault.instance if name not in known)
    guess = nearest(str(unknown), known)
    advice = f"did you mean '{guess}'?" if guess else "known are: " + ", ".join(known) + "."
    return f"unknown key '{f'{section}.{unknown}' if section else unknown}'; {advice}"


def _completed(value: Any, schema: dict[str, Any]) -> Any:
    """Return `value` with defaults; a whole number written as 2.0 becomes an int (JSON has one)."""
    if isinstance(value, float) and schema.get("type") == "integer":
        return int(value)
    if isinstance(value, dict):
        for key, part in schema.get("properties", {}).items():
            if key not in value and "default" in part:
                value[key] = copy.deepcopy(part["default"])
            if key in value:
                value[key] = _completed(value[key], part)
    return value
