"""The first process: it holds what must outlive the others, and keeps them running.

Owns the lock of the data directory, the listening sockets (kept over restarts of the workers, so that no waiting
connection is reset) and the last good snapshot with its secrets, in memory. Starts control and the workers, replaces
the ones that die, hands a snapshot to every worker or to none, and drains them at the end. Never reads the
configuration, parses a request or writes a record, and imports nothing heavy, so that little in it can fail.

Started by `trunkline serve`:

    python -m trunkline.supervisor --config FILE

    child      one child process with its channel
    backoff    how long to wait before the next start
    listener   the listening sockets
    lease_desk where workers ask for units of limits that hold for all of them
    slot       a worker's place, and the process that fills it
    control    the same for the control process
    supervisor the whole: start, publish, drain
"""
