"""The bytes of a record log: frames, batches, segments, records and bodies, how damage is told from a torn tail;
the Merkle tree over its records, in tiles, and the texts that prove a record to somebody else.

Pure: it is handed bytes and answers with bytes or facts. It never opens a file, never asks for the time and never
decides when something is written; `audit.files` does, and so do tests and tools that check a log.
"""
