"""Order, time and retries: a flow reads like the summary of a night.

No classes and no tasks are defined here; Prefect imports these modules by their dotted names.
"""
