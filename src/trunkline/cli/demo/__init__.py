"""`trunkline demo`: a gateway between the real openai SDK and two providers, walked through call by call.

`stage` sets up and takes down the processes, `scenes` are the calls, `narration` is what a person reads. Needs no key
and no network; with `--real` the providers are the real ones.
"""
