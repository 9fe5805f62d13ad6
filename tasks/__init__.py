"""One step of the work on one shard: a few lines that join a connector to a measurement.

What does not belong here: rules (they go below), order and schedules (flows).
"""
