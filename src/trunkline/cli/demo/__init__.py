"""`trunkline demo`: a gateway between the real openai SDK and two providers, walked through call by call.

`stage` sets up and takes down the processes; `advisors` are who calls, `caller` is their application; `scenes`, `peak`
and `flood` are the calls; `inquiries` are the commands that ask about them, `records` what the log has. `narration` is
what a person reads, `folding` makes it fit. Needs no key and no network; with `--real` the providers are the real ones.
"""
