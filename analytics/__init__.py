"""What is measured: arrays and records in, numbers out.

Here belong the records that cross every border, the image and study measurements, the table
schemas and the SQL views. What does not: DICOM, networks, databases, clocks, Prefect.
Import concrete submodules; nothing is re-exported.
"""
