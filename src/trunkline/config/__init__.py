"""From the YAML that an operator writes to the snapshot that every process runs on.

Owns the names of the configuration, their types, defaults and limits, the price list, and the canonical form by
which a snapshot is known. Reports every mistake at once, with line, path and fix, and shows no secret in any of them.
Never opens a file, reads the environment or asks the clock: whoever calls hands these in as `Sources`. Control and
the commands call `compile.load`; a worker needs `canonical` alone, which imports neither YAML, pydantic nor prices.

    document    text -> nodes with line marks (YAML 1.2, bounded)
    references  `${NAME}` and `${file:PATH}` -> their values
    schema      nodes -> typed sections
    directory   CSV -> the users of a tenant, or every mistake of it
    compile     sections -> `Compiled` (snapshot, secrets, what control alone needs)
    canonical   snapshot <-> bytes (RFC 8785) and their SHA-256
    differences two snapshots -> lines for a human

Import from the file, not from here.
"""
