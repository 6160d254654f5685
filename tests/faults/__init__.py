"""Commands disturbed on purpose: kill -9 at random moments, full disks, folders that cannot be written.

``python -m tests.faults --kills 50 --output docs/reliability.md`` does all of it and writes the table.
"""
