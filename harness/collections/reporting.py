"""Where reading and indexing of large files is reported; the command line puts its bars here, others hear nothing."""

from __future__ import annotations

from harness.system import Progress, SilentProgress

progress: Progress = SilentProgress()
