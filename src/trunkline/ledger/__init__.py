"""The ledger: who spent what, when, doing what, with what outcome, as tables made from the record logs.

Owns the index (DuckDB, `data_dir/index`), what stands in it, how it follows the logs, and the questions that are asked
of it. It decides nothing and writes no record: the logs are the truth, the index can be thrown away and made again.
Control runs it beside its other work, and the commands run it in-process where no gateway runs.

    schema    the tables, and the views that everybody else reads
    records   what is taken of a record
    fold      records to lines; `paid` are those of a cost
    loading   lines to rows
    index     the file, and what is added to it
    follow    the logs into the index, from where it was; `telemetry` counts what passes
    ledger    all of it as one object; `answers` are what it is asked and says
    questions calls and sessions: `lists`, `story`, `transcript`; `archive` gets records back from the logs
    replay    what was released of a call again; `evidence_answers` is how that is said
    export    calls as a file: `export_lines` or `export_page`, with its `export_conversation` and `markup`
    reviews   the review queue, by `review_lists`; `sampling` draws it, `review_item` is a call as it is read
    costs     reports of cost, by `cost_queries`; `cost_answers` are what is asked and said
    reconcile a bill against our count; `focus` is what was paid in the format of FOCUS
    user_sql  queries of a user's own: `gate` lets them through, `sandbox` runs them in a process of its own
"""
