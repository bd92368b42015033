"""The process behind the data plane: it decides what is in force, and remembers why.

Owns the state that commands change (virtual keys, directories of users, later more), which is a fold of its own log;
the snapshot made of the configuration file and that state; its publication to the workers through the supervisor; and
the admin API on `data_dir/control.sock` and, where a console is configured, on its port. Never carries a call: if it
dies, calls go on, and it takes up where its log and the last good snapshot left it.

Started by the supervisor; where no gateway runs, the commands build a `Registry` of their own and use it in-process.

    state         the fold: records -> keys and directories (pure)
    registry      what may be asked for: apply, create and revoke keys, import users
    directories   the users of tenants; `other_costs` are costs that commands import
    journal       its own log
    snapshots     the snapshots on disk
    configuration the file, read with this machine's environment
    api           the same as HTTP; `listeners` serves it
    ledger_desk   the ledger, followed and asked in threads; `ledger_api` is its part of the API
    review_desk   the review queue; `reviews` are its records, `review_api` its part of the API
    roles         what each role may do there; `admission` holds requests against it, `refusals` counts the others
    evidence_api  what hands out what was said; `reads` are the records of who has looked
    process       builds all of it and lives through the process
"""
