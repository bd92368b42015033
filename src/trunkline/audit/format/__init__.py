"""The bytes of a record log: frames, batches, segments, records and bodies, and how damage is told from a torn tail.

Pure: it is handed bytes and answers with bytes or facts. It never opens a file, never asks for the time and never
decides when something is written; `audit.files` does, and so do tests and tools that check a log.
"""
