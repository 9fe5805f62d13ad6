"""The world outside, one file per neighbour: DICOM network, files, DICOM objects, ledger, warehouse.

What does not belong here: measurement rules (analytics), order and retries (flows), the environment
(deployments). Datasets, sockets and connections never leave this room; records and paths do.
"""
