"""What the model says in the demo that nobody may say, and the policy of the house that puts other words in its place.

All that the scene shows hangs on what is here: the check, the rule that it finds, and the words.
"""

TITLE = "A blocked recommendation"
TELLS = """\
A policy of the route checks each sentence before it leaves. One that recommends what to buy or sell ends the answer, \
and an approved sentence is said instead. This is what the provider sends:"""
ROUTE = "advisor-guarded"
POLICY = "no-advice"
RULE = "R1"  # of the check, what it finds in `FORBIDDEN`
QUESTION = "What can I tell them about the new bond fund?"
CLEAR = "The fund holds forty bonds of good grade. "
FORBIDDEN = "I'd sell the Apple shares and buy this fund instead. "
BEHIND = "Shall I place an order?"
ANSWER = CLEAR + FORBIDDEN + BEHIND
APPROVED = "I can't advise on that, but I can send you its fact sheet."
GUARDRAILS = f"""\
guardrails:
  {POLICY}: {{check: investment_recommendation, on: [output], action: replace, with: "{APPROVED}"}}
"""
