"""A user's SQL reads the views, and can do nothing else: no file, no network, no setting, no change, no flood."""

import os
import socket
import threading

import pytest

from ledger.logs import Machine, call_id, closed, follow, open_index, opened, tables
from trunkline.ledger import user_sql
from trunkline.ledger.answers import Misunderstood, Unanswerable
from trunkline.ledger.user_sql import MOST_ROWS, run_sql


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    made = Machine(tmp_path_factory.mktemp("machine"))
    for number in range(3):
        made.write(opened(number, tags={"env": "prod"}))
        made.write(closed(number))
    made.stop()
    return made


@pytest.fixture(scope="module")
def index(machine):
    made = open_index(machine.path)
    follow(made, machine.path)
    yield made
    made.close()


def test_it_answers_with_columns_and_plain_values(index):
    table = run_sql(
        index,
        "SELECT id, cost, at, tags, at AT TIME ZONE 'America/New_York' < at::TIMESTAMP AS earlier, 1.5 AS x -- at\n"
        "FROM calls ORDER BY at LIMIT 1",
        10,
    )
    assert table.columns == ("id", "cost", "at", "tags", "earlier", "x")
    ((call, cost, at, tags, earlier, x),) = table.rows
    assert (call, cost, tags, earlier, x) == (call_id(0), "0.000017", {"env": "prod"}, True, "1.5")
    assert at.endswith("Z")
    assert not table.more


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM calls JOIN attempts ON call_id = id",
        "WITH spent AS (SELECT tenant, sum(cost) AS s FROM calls GROUP BY ALL) SELECT * FROM spent ORDER BY s",
        "SELECT * FROM sessions UNION ALL SELECT * FROM sessions",
        "SELECT unnest(range(3)), i FROM generate_series(1, 2) t(i)",
        "FROM calls SELECT outcome, count(*) GROUP BY outcome",
        "SELECT tenant, quantile_cont(first_token_ms, 0.95) OVER (PARTITION BY team) FROM calls",
        "SELECT token_class, sum(amount) FROM costs GROUP BY 1;",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT * FROM n",
        "SELECT * FROM findings, scores, refusals",
    ],
)
def test_what_an_analyst_asks_is_answered(index, query):
    run_sql(index, query, 100)


def test_more_rows_than_wanted_are_left_out_and_said(index):
    table = run_sql(index, "SELECT * FROM range(1000000000000)", 10)
    assert len(table.rows) == 10
    assert table.more


def test_a_limit_has_limits(index):
    for limit in (0, MOST_ROWS + 1):
        with pytest.raises(Misunderstood):
            run_sql(index, "SELECT 1", limit)
    with pytest.raises(Misunderstood):
        run_sql(index, "SELECT " + "1 + " * 50_000 + "1", 1)


ATTACKS = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_csv_auto('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM read_parquet('/etc/passwd')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM '{secret}'",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM glob('*')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM parquet_metadata('/etc/passwd')",
    "SELECT * FROM read_csv('http://127.0.0.1:{port}/')",
    "SELECT * FROM 'http://127.0.0.1:{port}/x.parquet'",
    "COPY calls TO '{secret}.csv'",
    "COPY (SELECT 1) TO '{secret}.parquet' (FORMAT parquet)",
    "COPY calls FROM '/etc/passwd'",
    "EXPORT DATABASE '{secret}.d'",
    "ATTACH '{secret}.duckdb'",
    "ATTACH ':memory:' AS other",
    "DETACH ledger",
    "USE memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '{secret}'",
    "SET enable_external_access = true",
    "SET memory_limit = '100GB'",
    "RESET lock_configuration",
    "PRAGMA enable_external_access",
    "PRAGMA database_list",
    "CALL pragma_version()",
    "SELECT getenv('HOME')",
    "SELECT current_setting('temp_directory')",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM pragma_table_info('calls')",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_class",
    "SELECT * FROM facts.calls",
    "SELECT * FROM facts.running",
    "SELECT * FROM main.facts.calls",
    "SELECT * FROM ledger.facts.calls",
    "SELECT (SELECT opened FROM facts.running LIMIT 1)",
    "WITH x AS (SELECT * FROM facts.logs) SELECT * FROM x",
    "WITH x AS (SELECT 1) SELECT * FROM facts.x",
    "WITH x AS (SELECT 1) SELECT * FROM main.x",
    "WITH sqlite_master AS (SELECT * FROM sqlite_master) SELECT * FROM sqlite_master",
    "SELECT v.* FROM (WITH duckdb_databases AS (SELECT 1 AS c) FROM duckdb_databases) t, duckdb_databases v",
    "WITH PRAGMA_database_list AS (SELECT 1) SELECT * FROM pragma_database_list",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('facts.calls')",
    "SELECT * FROM (DESCRIBE calls)",
    "DESCRIBE calls",
    "SHOW ALL TABLES",
    "EXPLAIN ANALYZE SELECT 1",
    "INSERT INTO facts.calls SELECT * FROM facts.calls",
    "UPDATE facts.calls SET cost = 0",
    "DELETE FROM facts.calls",
    "DROP VIEW calls",
    "CREATE TABLE t AS SELECT 1",
    "CREATE TEMP TABLE t AS SELECT 1",
    "CREATE MACRO m() AS 1",
    "CREATE SECRET (TYPE s3)",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "VACUUM",
    "CHECKPOINT",
    "BEGIN",
    "SELECT 1; DROP VIEW calls",
    "SELECT 1; SELECT 2",
    "",
    "SELEC 1",
    "SELECT nothing FROM calls",
    "SELECT write_log('x')",
    "SELECT nextval('s')",
    "SELECT CAST('x' AS INTEGER)",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_told_that_it_is_no_question_and_does_nothing(index, tmp_path, attack):
    secret = tmp_path / "secret"
    secret.write_text("1,2\n")
    before = tables(index)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        query = attack.format(secret=secret, port=listener.getsockname()[1])
        with pytest.raises(Misunderstood) as refused:
            run_sql(index, query, 10)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert "\n" not in str(refused.value)
    assert os.listdir(tmp_path) == ["secret"]
    assert tables(index) == before


FLOODS = [
    "SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE a.range % 7 = b.range % 11",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "SELECT list(range) FROM range(10000000000)",
    "SELECT repeat('x', 4000000000)",
    "SELECT length(repeat(repeat('x', 100000), 40000))",
    "SELECT string_agg(i::VARCHAR) FROM range(100000000000) t(i)",
    "SELECT * FROM range(100000000) ORDER BY random()",
    "SELECT DISTINCT hash(i) FROM range(10000000000) t(i)",
    "SELECT repeat('x', 5000000) FROM range(50)",
]


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_is_ended_within_its_bounds_and_leaves_the_index_well(index, flood, monkeypatch):
    monkeypatch.setattr(user_sql, "SECONDS", 2)
    monkeypatch.setattr(user_sql, "MEMORY_MB", 64)
    with pytest.raises(Unanswerable) as ended:
        run_sql(index, flood, MOST_ROWS)
    assert not isinstance(ended.value, Misunderstood)
    assert run_sql(index, "SELECT count(*) FROM calls", 1).rows == [[3]]


def test_a_query_as_deep_as_the_parser_takes_it_ends_no_process_of_ours(index):
    with pytest.raises(Unanswerable):
        run_sql(index, "SELECT " + "(" * 20_000 + "1" + ")" * 20_000, 1)


def test_the_process_has_nothing_of_our_environment(index, monkeypatch):
    seen = []
    popen = user_sql.subprocess.Popen
    monkeypatch.setattr(user_sql.subprocess, "Popen", lambda *words, **rest: seen.append(rest) or popen(*words, **rest))
    run_sql(index, "SELECT 1", 1)
    assert seen[0]["env"] == {}


def test_who_adds_to_the_index_waits_for_a_query_and_goes_on(machine, index):
    done = threading.Event()

    def add():
        follow(index, machine.path)
        done.set()

    with index.lent():
        thread = threading.Thread(target=add)
        thread.start()
        assert not done.wait(0.05)
    thread.join(20)
    assert done.is_set()
