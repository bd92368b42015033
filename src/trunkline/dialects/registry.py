"""The providers' dialects by the word that the configuration uses for them."""

from collections.abc import Mapping
from types import MappingProxyType

from trunkline.dialects.anthropic import ANTHROPIC
from trunkline.dialects.openai_provider import OPENAI
from trunkline.dialects.provider import ProviderDialect

PROVIDER_DIALECTS: Mapping[str, ProviderDialect] = MappingProxyType({"openai": OPENAI, "anthropic": ANTHROPIC})
