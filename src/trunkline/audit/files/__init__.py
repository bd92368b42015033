"""Record logs on the disk: one directory per origin, segments in it, one writer, any number of readers.

`LogWriter` takes records from one event loop and makes them durable in a thread of its own; `read_records` follows a
log while it is written; `open_data_dir` owns the directory that all logs of a machine are in. Nothing here knows what
a record means beyond which calls are open: the gateway and control decide what is written, and when.
"""
