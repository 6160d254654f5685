"""Contract tests run at once, where what they are of is only there within a test."""

from __future__ import annotations

import inspect


def keeps(tests: type) -> None:
    """Run all tests of a class that a conformance factory made."""
    made = tests()
    for name, test in inspect.getmembers(made, callable):
        if name.startswith("test_"):
            test()
