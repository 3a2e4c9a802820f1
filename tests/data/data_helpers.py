"""Helpers of the data tests: a server that misbehaves on purpose, and small image files."""

import contextlib
import gzip
import hashlib
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from PIL import Image

from cnncli.data.download import Remote, Timeouts

QUICK = Timeouts(connect=2.0, stall=0.4, pause=0.01)


class Server:
    """A real HTTP server on 127.0.0.1. ``behave`` maps a path to a function of the request handler."""

    def __init__(self):
        self.requests = []
        self.behave = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests.append((self.path, self.headers.get("Range")))
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    outer.behave[self.path](self)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def start_of(handler):
    """The first byte that a request asks for."""
    asked = handler.headers.get("Range")
    return int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0


def send(handler, body, *, ranges=True, promise=None, only=None):
    """Answer with a body: maybe promise another length, maybe send only so many bytes of it."""
    at = start_of(handler) if ranges else 0
    if at >= len(body):
        handler.send_error(416)
        return
    handler.send_response(206 if at else 200)
    if at:
        handler.send_header("Content-Range", f"bytes {at}-{len(body) - 1}/{len(body)}")
    handler.send_header("Content-Length", str(promise if promise is not None else len(body) - at))
    handler.end_headers()
    handler.wfile.write(body[at : at + only] if only is not None else body[at:])


def remote(body, *urls, name="file.bin"):
    return Remote(name, hashlib.sha256(body).hexdigest(), len(body), urls)


def write_image(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.asarray(pixels, np.uint8)
    Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels).save(path)


def picture(seed, height=12, width=12, channels=3):
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array):
    code = CODES[array.dtype.str[1:]]
    return (
        struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
        + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


def digits(count, side=6, classes=3, seed=0):
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (count, side, side)).astype(np.uint8), np.arange(count) % classes


def write_idx(folder, prefix, images, labels, pack=gzip.compress, ending=".gz"):
    folder.mkdir(exist_ok=True)
    (folder / f"{prefix}-images-idx3-ubyte{ending}").write_bytes(pack(idx_bytes(images)))
    (folder / f"{prefix}-labels-idx1-ubyte{ending}").write_bytes(pack(idx_bytes(labels.astype("u1"))))
