"""Runs inside a warm Blender and takes orders, one at a time, as JSON lines over file descriptor 3.

Orders:  {"id", "order": "render" | "capabilities", ...}
Answers: {"kind": "ready" | "beat" | "stage" | "done" | "failed", "id"?, ...}

Started as `blender -b --factory-startup --disable-autoexec -noaudio --python-exit-code 7 --python driver.py`.
The end of file on descriptor 3 means that the parent is gone: the process then ends at once, even mid-frame.
After each answer a line `[cuadro] end ID` goes to standard output, so that the parent knows that it has read
all that Blender said about the order.
"""

import ctypes
import json
import os
import queue
import signal
import socket
import sys
import threading
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import bpy  # noqa: E402
import cuadro_capabilities  # noqa: E402
import cuadro_frame  # noqa: E402
import cuadro_memory  # noqa: E402
import cuadro_scene  # noqa: E402
import rendered_scenes  # noqa: E402
from cuadro_failure import Failure  # noqa: E402

CHANNEL_DESCRIPTOR = 3
BEAT_SECONDS = 0.5


class Channel:
    """The two-way line to the parent; sending is safe from any thread."""

    def __init__(self):
        self.socket = socket.socket(fileno=CHANNEL_DESCRIPTOR)
        self.reader = self.socket.makefile("r", encoding="utf-8")
        self.lock = threading.Lock()
        self.orders = queue.Queue()
        self.current = None

    def send(self, **message):
        line = (json.dumps(message) + "\n").encode("utf-8")
        try:
            with self.lock:
                self.socket.sendall(line)
        except OSError:
            os._exit(0)

    def read_forever(self):
        try:
            for line in self.reader:
                self.orders.put(json.loads(line))
        except OSError:
            pass
        os._exit(0)

    def beat_forever(self):
        while True:
            self.send(kind="beat", id=self.current, memoryBytes=cuadro_memory.resident_bytes())
            time.sleep(BEAT_SECONDS)


def prepare_output():
    """Make Blender's C output line by line, and Python's too: a parent that reads a pipe sees it at once."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")
    try:
        libc = ctypes.CDLL(None)
        stdout = ctypes.c_void_p.in_dll(libc, "stdout")
        libc.setvbuf(stdout, None, 1, 0)
    except (OSError, ValueError, AttributeError):
        pass


def die_with_parent():
    """On Linux the kernel ends this process with its parent, even while a long call holds Python's lock."""
    if sys.platform != "linux":
        return
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
    except (OSError, AttributeError):
        pass


def answer(channel, scene, order):
    kind = order["order"]
    if kind == "capabilities":
        return cuadro_capabilities.report()
    if kind == "render":
        def stage(name, **more):
            channel.send(kind="stage", id=order["id"], stage=name, **more)

        cuadro_memory.reset_peak()
        load_ms = scene.ensure(order, stage)
        stage("rendering", parts=rendered_scenes.count_layers(scene.scene))
        result = cuadro_frame.render(scene, order)
        return {**result, "loadMs": load_ms, "peakMemoryBytes": cuadro_memory.peak_bytes()}
    raise Failure("bad-request", f"Unknown order {kind!r}.")


def serve(channel):
    scene = cuadro_scene.LoadedScene()
    while True:
        order = channel.orders.get()
        channel.current = order["id"]
        try:
            reply = {"kind": "done", "result": answer(channel, scene, order)}
        except Failure as failure:
            reply = {"kind": "failed", "code": failure.code, "message": str(failure)}
        except MemoryError:
            reply = {"kind": "failed", "code": "out-of-memory", "message": "Python ran out of memory."}
        except Exception as error:  # The process stays usable: the parent decides what a failure means.
            traceback.print_exc()
            reply = {"kind": "failed", "code": "python-exception", "message": f"{type(error).__name__}: {error}"}
        channel.current = None
        sys.stderr.flush()
        print(f"[cuadro] end {order['id']}", flush=True)
        channel.send(id=order["id"], memoryBytes=cuadro_memory.resident_bytes(), **reply)


def main():
    prepare_output()
    die_with_parent()
    channel = Channel()
    # Otherwise Blender takes frame 0 for every frame below it.
    bpy.context.preferences.edit.use_negative_frames = True
    channel.send(kind="ready", version=bpy.app.version_string, pid=os.getpid())
    threading.Thread(target=channel.read_forever, daemon=True).start()
    threading.Thread(target=channel.beat_forever, daemon=True).start()
    serve(channel)


if __name__ == "__main__":
    main()
