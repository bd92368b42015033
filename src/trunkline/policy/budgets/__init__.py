"""Budgets: what may be spent within a day, a week or a month of a tenant's calendar, or in total.

Money is whole nano-USD (a billionth of a US dollar). A `Calendar` says which period a moment is in; an `Account` is the
counter of one owner's money. Nothing here looks at a clock: callers hand in the moment.
"""
