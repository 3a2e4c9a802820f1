"""A signal ends a process at once, and takes away what is unfinished."""

import signal

import pytest

from cnncli import ending

PROCESS = """
import os, signal, sys, threading, time
from cnncli import ending

ending.handle_signals(ending.end_at_once)
create = lambda path: os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
whole = ending.begin("whole", create)
ending.finished("whole")
try:
    ending.begin("whole", create)
except FileExistsError:
    pass
ending.begin("half", create)
os.mkdir("folder")
ending.begin("folder", lambda path: 0, os.rmdir)
ending.begin("folder/half", create)

def write_on():
    while True:  # a thread that begins files all the time
        os.close(ending.begin(f"half-{time.monotonic_ns()}", create))

threading.Thread(target=write_on, daemon=True).start()
with ending.screen("<"), ending.saying(lambda: "not this"), ending.saying(lambda: "3 done"):
    os.kill(os.getpid(), int(sys.argv[1]))
    try:
        while True:
            time.sleep(1)
    finally:
        print("an exception went through here", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_is_unfinished_goes_and_no_exception_is_raised(python, tmp_path, number):
    done = python(PROCESS, int(number), cwd=tmp_path, check=False)
    assert done.returncode == 128 + number
    word = "interrupted" if number == signal.SIGINT else "terminated"
    assert (done.stdout, done.stderr) == ("", f"<{word}: 3 done\n")
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]


LOCKED = """
import os, signal, sys, threading
from cnncli import ending

ending.handle_signals(ending.end_at_once)

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "json":
            threading.Thread(target=__import__, args=("json",), daemon=True).start()
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(30)

sys.meta_path.insert(0, Slow())
import json
"""


def test_a_signal_inside_an_import_that_a_thread_waits_for(python):
    assert python(LOCKED, check=False).returncode == 130


IGNORED = """
import os, signal
from cnncli import ending
signal.signal(signal.SIGHUP, signal.SIG_IGN)
mine = lambda number, frame: print("mine")
signal.signal(signal.SIGTERM, mine)
ending.handle_signals(ending.end_silently)
ending.handle_signals(ending.end_at_once)
os.kill(os.getpid(), signal.SIGHUP)
os.kill(os.getpid(), signal.SIGTERM)
print(signal.getsignal(signal.SIGINT) is ending.end_at_once)
"""


def test_what_a_process_was_started_to_ignore_is_ignored_and_handlers_of_others_stay(python):
    assert python(IGNORED).stdout.split() == ["mine", "True"]


def test_what_could_not_be_begun_is_not_taken_away(tmp_path):
    path = tmp_path / "there"
    path.touch()

    def create(name):
        raise FileExistsError(name)

    with pytest.raises(FileExistsError):
        ending.begin(str(path), create)
    assert str(path) not in ending._unfinished
