"""Pure decisions: who may use what, where a call goes, whether a target is well, what it costs.

Every function takes `now` as an argument where time matters and touches no socket, clock, file or random source. The
gateway calls them on the path of a call; the ledger prices with the same `pricing`.
"""
