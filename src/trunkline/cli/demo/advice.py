"""What the model says in the demo that nobody may say, and the policy of the house that puts other words in its place.

All that the scene shows hangs on what is here: the check, the rule that it finds, and the words.
"""

TITLE = "A blocked promise"
TELLS = """\
A policy of the route checks each sentence before it leaves. One that promises a return ends the answer, and an \
approved sentence is said instead. This is what the provider sends:"""
ROUTE = "advisor-guarded"
POLICY = "no-promises"
RULE = "guaranteed"  # of the check, what it finds in `FORBIDDEN`
QUESTION = "What can I tell them about the new bond fund?"
CLEAR = "The fund holds forty bonds of good grade. "
FORBIDDEN = "I can promise you that it will return eight percent, guaranteed. "
BEHIND = "Shall I place an order?"
ANSWER = CLEAR + FORBIDDEN + BEHIND
APPROVED = "I can't say what an investment will return, but I can send you its fact sheet."
GUARDRAILS = f"""\
guardrails:
  {POLICY}: {{check: promissory, on: [output], action: replace, with: "{APPROVED}"}}
"""
