"""Limits: counters that promise, and the reservation that takes from all of a call's counters or from none.

Whatever is counted is a whole number of units: requests, tokens, slots, or nano-USD (a billionth of a US dollar,
rounded up). A `Rule` says how many units an owner may use; a `Counter` knows how many are used; the `Limiter` has the
counters. Windows follow the monotonic clock, so that nobody gains by setting a clock; budgets follow the calendar.
"""
