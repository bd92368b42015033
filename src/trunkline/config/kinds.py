"""The kinds of value that the sections share: names, paths, addresses, secrets."""

import re
from datetime import date
from zoneinfo import ZoneInfo

from trunkline.config import addresses, strength, units
from trunkline.config.readers import Mistake, parsed, text
from trunkline.model.vault import HOW, BadKey, parse_key

NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
DAY_FORM = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
HOW_DAY = "write it like 2026-06-30"
NAME = text(
    "a name: letters, digits, `.`, `_` and `-`, at most 64 of them",
    NODE.pattern,
    "choose another name",
)
# No slash: what has one is `provider/model`.
ROUTE = text(
    "a route's name: letters, digits, `.`, `_`, `-`, `:`, at most 128 of them",
    r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}",
    "choose another name",
)
MODEL = text("a model's name, without spaces", r"[\x21-\x7e]{1,200}", "write the name that the provider uses")
PROVIDER_AND_MODEL = text(
    "provider/model", r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}/[\x21-\x7e]{1,200}", "write it like openai/gpt-4o-mini"
)
ROUTE_OR_MODEL = text("a route, or provider/model", r"[\x21-\x7e]{1,265}", "name a route")
POLICY = text(
    "the name of a policy, or of a preset such as `builtin/pii`",
    r"(?:builtin/)?[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
    "name one of `guardrails`",
)
PARAMETER = text("a parameter's name", r"[A-Za-z_][A-Za-z0-9_]{0,63}", "write it as the API does")
TAG = text(
    "a tag's name, at most 64 characters without spaces around it",
    r"(?! )[^\x00-\x1f\x7f-\x9f]{1,64}(?<! )",
    "write the name alone",
)
PATH = text("a path", r"[^\n\t]{1,4096}", "write the path of a file")
SENTENCE = text("one or more sentences", r"[^\t]{1,4096}", "quote it")

HEADER = text("a header's name", r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}", "use letters, digits and `-`")
# A line break in it would begin a second header.
HEADER_VALUE = text(
    "visible ASCII on one line", r"[\x21-\x7e]([\x20-\x7e]{0,8190}[\x21-\x7e])?", "leave out what is not ASCII"
)
PROVIDER_KEY = text(
    "visible ASCII without spaces", r"[\x21-\x7e]{1,4096}", "write ${NAME} or ${file:PATH}, or null for none"
)
SECRET = parsed(strength.secret, "a secret", strength.HOW)


def _vault_key(value: str) -> bytes:
    try:
        return parse_key(value)
    except BadKey as bad:
        raise Mistake(f"a vault key must be 32 random bytes, this {bad}", HOW) from None


VAULT_KEY = parsed(_vault_key, "a vault key", HOW)

LISTEN = parsed(addresses.listen, "an address to listen on", "write host:port like 127.0.0.1:8080")
PROVIDER_URL = parsed(addresses.provider_url, "a URL", "write it like https://api.openai.com/v1")
PROXY_URL = parsed(addresses.proxy_url, "a URL", "write it like http://proxy.internal:3128")
REDIS_URL = parsed(addresses.redis_url, "a URL", "write it like rediss://:PASSWORD@redis.internal:6379/0")

TIMEOUT = units.duration("1ms", "1d")
RETENTION = parsed(units.retention, "`zero` or a duration", "write zero, 30d or 7y")
KEPT = units.duration("1d", "100y")
# A call that is held longer than this has been given up by whoever made it.
WAIT = units.duration("0s", "10s")
EXPIRY = parsed(units.expiry, "a date", "write a date like 2027-06-30")


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (LookupError, ValueError, OSError):
        if value != "UTC":
            raise Mistake("is no time zone of the IANA database", "write it like America/New_York") from None
    return value


def _day(value: str) -> date:
    if not DAY_FORM.fullmatch(value):
        raise Mistake("is no day", HOW_DAY)
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise Mistake("is no day of the calendar", HOW_DAY) from None


DAY = parsed(_day, "a day", HOW_DAY)
TIME_ZONE = parsed(_time_zone, "a time zone", "write it like America/New_York")
