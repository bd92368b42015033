"""Every dialect that a configuration may name is in the table, and does what a dialect does."""

from typing import get_args, get_type_hints

import pytest

from trunkline.dialects.registry import PROVIDER_DIALECTS
from trunkline.model.snapshot import Provider


@pytest.mark.parametrize("word", get_args(get_type_hints(Provider)["dialect"]))
def test_every_word_of_the_configuration_has_its_dialect(word: str) -> None:
    dialect = PROVIDER_DIALECTS[word]
    assert dialect.name == word
    assert dialect.path.startswith(b"/")
    assert dialect.headers("key").endswith(b"\r\n")
    assert not dialect.stream_decoder().ended
