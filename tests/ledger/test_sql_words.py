"""`at` is put in quotes where it is a column, and nothing else is touched."""

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.ledger.sql_words import quote_at


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("SELECT at FROM calls ORDER BY AT", 'SELECT "at" FROM calls ORDER BY "at"'),
        ("max(at)", 'max("at")'),
        ("c.at", 'c."at"'),
        ("at AT TIME ZONE 'UTC'", "\"at\" AT TIME ZONE 'UTC'"),
        ("x at  time zone 'at'", "x at  time zone 'at'"),
        ("'at' \"at\" $$at$$ $x$ at $x$ -- at\n /* at */ at", '\'at\' "at" $$at$$ $x$ at $x$ -- at\n /* at */ "at"'),
        ("'it''s at' at", "'it''s at' \"at\""),
        ("format at_ cat atom", "format at_ cat atom"),
    ],
)
def test_words_that_are_columns_are_quoted(written, meant):
    assert quote_at(written) == meant


@given(st.text(alphabet="at'\"$-/*\n ()x", max_size=30))
def test_what_has_no_such_word_stays_as_it_is(text):
    assert quote_at(text).replace('"at"', "at") == text.replace('"at"', "at")


def test_the_language_still_wants_the_quotes():
    with duckdb.connect() as connection, pytest.raises(duckdb.ParserException):
        connection.execute('SELECT at FROM (SELECT 1 AS "at")')
