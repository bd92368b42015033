"""The check `json_schema`: an answer that is to be JSON of a certain form, and nothing else.

All of an answer is held until its end: nobody can tell before whether it will be whole.
"""

from collections.abc import Sequence
from typing import Any, Final, final

import msgspec

from trunkline.guardrails.check import NOTHING, BadSettings, CheckKind, Found, Hold, Scanner
from trunkline.guardrails.json_schemas import BadSchema, JsonSchema
from trunkline.guardrails.scanners import TooLong, WholeScanner

LONGEST: Final = 128 * 1024  # characters: what is looked at in one go, for some milliseconds
_FENCE: Final = "```"
_decode: Final = msgspec.json.Decoder().decode


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`schema` is a JSON schema. `fenced` lets an answer pass that is JSON in a fence of Markdown."""

    schema: dict[str, Any]
    fenced: bool = False


@final
class JsonSchemaCheck:
    """Finds answers that are no JSON, or not of the form."""

    __slots__ = ("_fenced", "_schema", "version")

    def __init__(self, settings: Settings) -> None:
        try:
            self._schema = JsonSchema(settings.schema)
        except BadSchema as error:
            raise BadSettings("schema", str(error)) from None
        self._fenced = settings.fenced
        self.version = "1"

    def scanner(self, hold: Hold) -> Scanner:  # noqa: ARG002 - half of it is of no form
        """Return a scanner for one text."""
        return WholeScanner(self._look)

    def _look(self, text: str) -> Sequence[Found]:
        if len(text) > LONGEST:
            raise TooLong
        try:
            value = _decode(_unfenced(text) if self._fenced else text)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return (Found("not_json", 0, max(len(text), 1), 1.0, "it is no JSON"),)
        fault = self._schema.fault(value)
        if fault is None:
            return NOTHING
        return (Found("wrong_form", 0, max(len(text), 1), 1.0, f"it does not fit the schema: {fault}"),)


def _unfenced(text: str) -> str:
    """Return what stands in a fence that is all of the text, else the text."""
    said = text.strip()
    if len(said) < 2 * len(_FENCE) or not (said.startswith(_FENCE) and said.endswith(_FENCE)):
        return text
    first, _, rest = said[: -len(_FENCE)].partition("\n")
    return rest if first in (_FENCE, f"{_FENCE}json") else text


KIND: Final = CheckKind(Settings, JsonSchemaCheck, stages=("answer",), actions=("block", "replace", "flag"))
