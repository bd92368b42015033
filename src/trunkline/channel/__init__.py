"""What the processes of one gateway say to each other, and how.

Owns the messages between the supervisor and its children and the link that carries them: one JSON object a line over
an inherited socket pair, bounded. Decides nothing. The supervisor holds one end, control or a worker the other; an end
that closes means that its process has gone.
"""
