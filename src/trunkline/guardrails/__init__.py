"""Guardrails: what may reach a model, and what of its answer may reach the client. Pure: nothing here waits or asks.

`folding` and `units` prepare text; a check (`check`, `checks/`) finds things in it; a policy (`policies`) says where a
check looks and what a finding leads to; `hold_back` releases an answer as far as it is cleared, `inspection` looks
through what a client sends. Each check has labelled cases of its own in `packs/`.
"""
