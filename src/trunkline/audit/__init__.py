"""The record: what was asked, what was answered, by whose policy and at what cost, in append-only logs.

`format` says what the bytes mean and touches nothing; `files` puts them on the disk and gets them back. Nothing else
in Trunkline writes to a log or parses its files. The format is described for outsiders in docs/record-log.md.
"""
