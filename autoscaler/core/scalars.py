"""One value of a policy file, from its literal text: the types that `core.policy` is made of, each with its editor schema."""

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema

from autoscaler.core.calendar import WeeklyHours, parse_hours
from autoscaler.core.conditions import Condition, parse_condition
from autoscaler.core.durations import PATTERN as DURATION
from autoscaler.core.durations import parse_duration
from autoscaler.core.metrics import BUILT_IN, Vocabulary
from autoscaler.core.plans import SPELLINGS, find_plan

_LONGEST = 500
"""Characters of a value that is parsed; every real one is far shorter."""


def _from_text(parse: Callable[[str], object], example: str, **schema: Any) -> tuple[BeforeValidator, WithJsonSchema]:
    """The validator and the editor's schema of a scalar that is written as text."""
    return _validator(lambda text, _: parse(text), example, schema)


def _validator(
    parse: Callable[[str, ValidationInfo], object], example: str, schema: dict[str, Any]
) -> tuple[BeforeValidator, WithJsonSchema]:
    def read(value: object, info: ValidationInfo) -> object:
        if isinstance(value, str):
            if len(value) > _LONGEST:
                raise ValueError(f"{len(value)} characters are too long for one value such as '{example}'")
            return parse(value, info)
        raise ValueError(f"expected one value such as '{example}'")

    return BeforeValidator(read), WithJsonSchema({"type": "string", "examples": [example]} | schema)


def _sentence(text: str, info: ValidationInfo) -> Condition:
    """With the names of the policy that it stands in, which whoever reads the policy hands over as the context."""
    return parse_condition(text, info.context if isinstance(info.context, Vocabulary) else BUILT_IN)


def _whole(text: str) -> int:
    if re.fullmatch(r"\d{1,9}", text):
        return int(text)
    raise ValueError(f"'{text}' is no whole number")


def _dollars(text: str) -> float:
    if re.fullmatch(r"\d{1,9}(\.\d+)?", text):
        return float(text)
    raise ValueError(f"'{text}' is no amount in USD: write a number such as 60 or 12.50")


def _percent(text: str) -> float:
    if found := re.fullmatch(r"(\d{1,3}(?:\.\d+)?)\s*%", text):
        return float(found[1]) / 100
    raise ValueError(f"'{text}' is no percentage: write {text if text.isdigit() else '25'}%")


def _per_day(text: str) -> int:
    if found := re.fullmatch(r"(\d{1,3}) per day", text):
        return int(found[1])
    raise ValueError(f"'{text}' is no daily limit: write '4 per day'")


def _plan(text: str) -> str:
    if find_plan(text):
        return text
    near = difflib.get_close_matches(text.lower(), SPELLINGS, n=1, cutoff=0.5)
    raise ValueError(
        f"unknown plan '{text}': " + (f"did you mean '{near[0]}'?" if near else f"use {', '.join(SPELLINGS[:3])} …")
    )


def _address(text: str) -> str:
    """What a pattern can't see: a port out of range, brackets that are not closed. Raises ValueError."""
    try:
        parts = urlsplit(text)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise ValueError(f"this is no address: {error}") from None  # which may hold a token, so it is not repeated
    if not usable:
        raise ValueError("this is no address: it needs a host, and a port above 0 if any")
    return text


def _env_key(text: str) -> str:
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text):
        return text
    raise ValueError(f"'{text}' is no name of an environment variable: letters, digits and _ only")


def _secret_name(text: str) -> str:
    """As `_env_key`; but what stands here by mistake may be the secret itself, and is not repeated."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", text):
        return text
    raise ValueError("write the name of an environment variable, such as SCALING_HEALTH_TOKEN: never the secret itself")


def _channel(text: str) -> str:
    """What stands here by mistake may be a token or a webhook's address, and is not repeated."""
    if text.startswith(("xox", "xapp-", "rnd_")) or "://" in text:
        raise ValueError("write the channel's name or id, such as '#ops': tokens and addresses never stand in a policy")
    return text


def _json_path(text: str) -> str:
    try:
        unknown = _unknown_function(jmespath.compile(text).parsed)
    except RecursionError:
        raise ValueError(
            "this JMESPath is nested too deeply: write where the JSON has it, such as 'jobs.waiting'"
        ) from None
    except JMESPathError as error:
        position = getattr(error, "lex_position", None)
        place = f" at character {position + 1}" if position is not None else ""
        raise ValueError(
            f"'{text}' is no JMESPath{place}: write where the JSON has it, such as 'jobs.waiting' or 'length(jobs)'; "
            "a name with - or spaces in it stands in double quotes"
        ) from None
    if unknown:
        near = difflib.get_close_matches(unknown, Functions.FUNCTION_TABLE, n=1)
        raise ValueError(f"JMESPath has no function '{unknown}'" + (f": did you mean '{near[0]}'?" if near else ""))
    return text


def _unknown_function(node: Mapping[str, Any]) -> str | None:
    """Without this it would turn out at the first poll: jmespath knows its functions only when it calls them."""
    if node["type"] == "function_expression" and node["value"] not in Functions.FUNCTION_TABLE:
        return str(node["value"])
    below = (child for child in node["children"] if isinstance(child, Mapping))  # a slice has numbers
    return next((found for child in below if (found := _unknown_function(child))), None)


_NUMBER = ["number", "string"]
Duration = Annotated[int, *_from_text(parse_duration, "30m", pattern=rf"^{DURATION}$")]
"""Milliseconds."""
Hours = Annotated[WeeklyHours, *_from_text(parse_hours, "mon-fri 09:00-17:00 Europe/Berlin")]
Sentence = Annotated[Condition, *_validator(_sentence, "avg_response_time > 8s for 1h", {})]
Whole = Annotated[int, *_from_text(_whole, "4", type=_NUMBER)]
Dollars = Annotated[float, *_from_text(_dollars, "60", type=_NUMBER)]
Percent = Annotated[float, *_from_text(_percent, "25%", pattern=r"^[0-9.]+\s*%$")]
"""A share, 0 to 1 (or more, where more makes sense)."""
PerDay = Annotated[int, *_from_text(_per_day, "4 per day", pattern="^[0-9]+ per day$")]
PlanName = Annotated[str, Field(max_length=60), AfterValidator(_plan), WithJsonSchema({"enum": list(SPELLINGS)})]
JsonPath = Annotated[str, *_from_text(_json_path, "jobs.waiting")]
Address = Annotated[str, Field(pattern=r"^https?://[^\s@]+$", max_length=2000), AfterValidator(_address)]
EnvKey = Annotated[str, Field(max_length=200), AfterValidator(_env_key)]
SecretName = Annotated[str, AfterValidator(_secret_name)]
ChannelName = Annotated[str, Field(min_length=2, max_length=80), AfterValidator(_channel)]
EnvValue = Annotated[str, Field(max_length=32_768), WithJsonSchema({"type": ["string", "number", "boolean"]})]
"""The YAML's own text, whatever an editor takes it for."""
Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9_-]+$")]
