"""The frozen nouns that every other package speaks of.

Owns what a call, an answer, a price and a configuration *are*; never decides, reads or writes anything. One file per
family: `chat` (what a client asks), `delta` (what a provider answers), `identity` (who), `records` (what the log
keeps), `snapshot` (what is in force), `directory` (who belongs to which team),
`other_costs` (what is imported). Import from the file, not from here.
"""
