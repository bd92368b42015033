"""`trunkline bench`: what the gateway adds, against its own fake provider asked directly in the same run.

Owns a fake provider and a load generator that cost little enough to be measured through, the gateway's processes for
as long as they are measured, and the figures. Never judges by its exit status how fast something was, only whether
every call was answered whole. Called by the `bench` command.

    settings    what is asked for
    transcript  what the provider says: prebuilt bytes (pure)
    provider    the fake provider, a process of its own
    plan        what the load generator is told, and what it answers
    caller      one connection of it: JSON calls or streams
    load        the load generator, a process of its own
    places      which core belongs to whom
    upstream    starts the provider; `loading` starts the load generator
    gateway     starts and stops the real `trunkline serve`
    processes   memory and CPU time of processes, from /proc
    machine     what it runs on, and who else uses it; `disk` asks how fast that is
    measure     the parts of a run, one after the other
    figures     measurements -> figures with their targets (pure)
    report      figures -> a table or JSON
"""
