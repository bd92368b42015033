"""Fair share: what a provider allows an account is divided among tenants by weight, among a tenant's users equally.

`Pool` has the rule and counts who holds what; `Told` carries on what the provider last said is left; `AccountShare` is
both, as one target asks them; `Shares` has those of all providers. All of it is asked once per attempt and never waits.
"""
