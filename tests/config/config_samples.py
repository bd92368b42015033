"""Files and machines that the tests of the configuration start from."""

from collections.abc import Mapping

from trunkline.config.compile import load
from trunkline.config.compiled import Compiled
from trunkline.config.problems import ConfigInvalid, Problem
from trunkline.config.sources import Sources

# SHA-256 digests of single letters: fixed, and as random as any.
STRONG = "559aead08264d5795d3909718cdd05abd49572e84fe55590eef31a88a08fdffd"
OTHER = "df7e70e5021544f4834bbee64a9e3789febc4be81470df629cad6ddb03320a5c"
THIRD = "6b23c0d5f35d1b11f9b683f0b0a617355deb11277d91ae091d399c655b87940d"
NOW = 1_790_000_000.0

ENVIRONMENT = {
    "OPENAI_API_KEY": "sk-proj-of-openai",
    "ANTHROPIC_API_KEY": "sk-ant-of-anthropic",
    "HARBOR_VOICE_KEY": STRONG,
    "TRUNKLINE_ADMIN_TOKEN": OTHER,
}

GOOD = """\
version: 1
providers:
  openai: {dialect: openai, api_key: "${OPENAI_API_KEY}", models: [gpt-4o-mini]}
routes:
  voice: {targets: [{provider: openai, model: gpt-4o}]}
tenants:
  harbor:
    keys:
      agent: {secret: "${HARBOR_VOICE_KEY}", routes: [voice]}
"""


def machine(environment: Mapping[str, str] = ENVIRONMENT, files: Mapping[str, str] | None = None) -> Sources:
    def read_file(path: str) -> str:
        try:
            return (files or {})[path]
        except KeyError:
            raise FileNotFoundError(path) from None

    return Sources(environment, read_file, "gw-test", NOW, cores=4)


def compiled(text: str, sources: Sources | None = None) -> Compiled:
    return load(text, "t.yaml", sources or machine())


def problems_of(text: str, sources: Sources | None = None) -> tuple[Problem, ...]:
    try:
        load(text, "t.yaml", sources or machine())
    except ConfigInvalid as invalid:
        return invalid.problems
    return ()


def the_problem(text: str, sources: Sources | None = None) -> Problem:
    """The one mistake of a file that has one."""
    found = problems_of(text, sources)
    assert len(found) == 1, "\n".join(map(str, found)) or "no problem was found"
    return found[0]
