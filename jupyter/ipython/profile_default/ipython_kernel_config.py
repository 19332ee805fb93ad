"""Kernels that `make lab` starts: an edit in `lib` holds from the next cell on, without a restart."""

c = get_config()  # noqa: F821
c.InteractiveShellApp.extensions = ["autoreload"]
c.InteractiveShellApp.exec_lines = ["%autoreload 2"]
