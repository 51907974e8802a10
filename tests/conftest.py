import os

# Tests run in several processes: one thread each, set before torch or a picture is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

from hypothesis import settings

# No deadline: the first example may compile a kernel. The same examples every time: a red run
# can be repeated.
settings.register_profile("jitgym", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("jitgym")
