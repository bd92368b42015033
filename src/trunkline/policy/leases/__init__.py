"""Leases: many workers, and many machines, under one limit.

The `Authority` counts for all; a member (a worker) asks it for units, holds what it was granted for a second at most,
and spends that without asking again (`Holdings`). Both are pure and speak in `messages`; who carries these is not their
affair. The authority's clock is its own, whole microseconds; a member's is its monotonic clock, seconds. Neither ever
reads the other's as a moment: a grant is good for so long, counted from before it was asked for.

    messages   what members and the authority say to each other
    books      the authority's counters
    roster     who the members are, and what is withheld for those who are not heard
    authority  grants, or says how long to wait
    held       what one member holds of one counter
    weighing   what all have spent, held against the thresholds of budgets
    unweighed  what one has spent that was not weighed yet
    outbox     what a member has to put right at the authority
    pending    a call that waits for the authority
    contact    whether the authority is heard, and since when it is not
    alone      deciding without it
    reports    what a member has used, for an authority that does not know
    holdings   a member's whole side
    line       its asks and their answers, and when none will come any more
"""
