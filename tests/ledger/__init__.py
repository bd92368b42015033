"""Tests of the ledger: real logs on the disk, a real index."""
