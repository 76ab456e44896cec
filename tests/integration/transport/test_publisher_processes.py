"""Publishing while processes end and fork."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.messages import run_ids

ROOT = Path(__file__).parents[3]
NOWHERE = "amqp://guest:guest@127.0.0.1:1/"  # a port on which nobody listens


def run_script(rabbitmq, name, script):
    """Run a script in a new process, as `manage.py shell -c` would."""
    prelude = (
        "import os, sys\n"
        "from django.conf import settings\n"
        f"settings.configure(PROGRAM_EXECUTOR={{'AMQP_URL': {rabbitmq.url!r},"
        f" 'QUEUE_NAME': {name!r}}})\n"
        "from programs.transport import publisher\n"
    )
    return subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", prelude + script],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.skipif(
    (3, 12, 0) <= sys.version_info < (3, 12, 3),
    reason="these Pythons start no thread at exit, and pika resolves names in one",
)
def test_a_process_that_ends_right_after_publishing_has_sent_its_hint(rabbitmq, name):
    done = run_script(rabbitmq, name, "publisher.publish('r1', 'default')")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert run_ids(rabbitmq, name) == ["r1"]


def test_a_process_that_ends_while_the_broker_is_down_does_not_wait(name, rabbitmq):
    script = f"""
settings.PROGRAM_EXECUTOR["AMQP_URL"] = {NOWHERE!r}
publisher.publish("r1", "default")
while publisher.state() != "failing": pass
import time; began = time.perf_counter()
import atexit; atexit.register(print, "bye")
publisher.close()
print(time.perf_counter() - began < 0.5)
"""
    done = run_script(rabbitmq, name, script)

    assert done.stdout.split() == ["True", "bye"]


def test_a_forked_child_publishes_over_a_connection_of_its_own(rabbitmq, name):
    script = """
publisher.publish("parent, before", "default")
assert publisher.flush(10)
child = os.fork()
if child == 0:
    assert publisher.state() == "idle"
    publisher.publish("child", "default")
    assert publisher.flush(10)
    sys.exit(7)
assert os.waitpid(child, 0)[1] >> 8 == 7
publisher.publish("parent, after", "default")
assert publisher.flush(10)
"""
    done = run_script(rabbitmq, name, script)

    assert (done.returncode, done.stderr) == (0, "")
    assert run_ids(rabbitmq, name) == ["parent, before", "child", "parent, after"]


def test_a_fork_while_the_lock_is_held_leaves_the_child_able_to_publish(rabbitmq, name):
    script = """
import threading
held = threading.Event()
def hold():
    with publisher._lock:
        held.set()
        threading.Event().wait()
threading.Thread(target=hold, daemon=True).start()
held.wait()
child = os.fork()
if child == 0:
    publisher.publish("child", "default")
    os._exit(0 if publisher.flush(10) else 1)
sys.exit(os.waitpid(child, 0)[1])
"""
    done = run_script(rabbitmq, name, script)

    assert done.returncode == 0, done.stderr
    assert run_ids(rabbitmq, name) == ["child"]
