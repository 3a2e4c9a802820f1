"""Real runs to explain, their responses by scipy and plain loops in float64."""

import numpy as np
from scipy import ndimage

from cnncli.filters.kinds.bank import Bank
from cnncli.filters.kinds.bilateral import Bilateral
from cnncli.filters.kinds.canny import Canny
from cnncli.filters.kinds.gradient import Gradient
from cnncli.filters.kinds.linear import Linear
from cnncli.filters.kinds.median import Median
from cnncli.filters.kinds.zero_crossings import ZeroCrossings
from cnncli.views.explain import Explanation

SOBEL = np.array([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]) / 4
NONE = np.zeros((0, 0))


def photo(h=40, w=56, seed=3):
    """A disc on a slope with a little noise: edges, a flat corner, no two windows alike."""
    y, x = np.mgrid[:h, :w]
    rng = np.random.default_rng(seed)
    disc = 120 * (np.hypot(y - h / 2, x - w / 2) < min(h, w) / 3)
    picture = 40 + 30 * (x > 0.7 * w) + disc + rng.normal(0, 4, (h, w))
    picture[: h // 4, : w // 4] = 90
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def gray(image):
    plain = image if image.ndim == 2 else image @ np.array([0.299, 0.587, 0.114])
    return plain.astype(np.float32)


def correlate(image, taps, anchor):
    kh, kw = taps.shape
    origin = (anchor[1] - kh // 2, anchor[0] - kw // 2)
    return ndimage.correlate(image.astype(float), taps, mode="mirror", origin=origin)


def shown(response):
    return np.clip(np.rint(response), 0, 255).astype(np.uint8)


def run(image, response, kind, taps, anchor, **more):
    options = {"title": f"{kind.spec} on photo.png", "rule": "clip to 0..255", "gain": 1.0, **more}
    written = options.pop("written", None)
    return Explanation(
        image=image,
        gray=gray(image),
        response=response.astype(np.float32),
        shown=shown(response) if written is None else written,
        filter=kind,
        taps=taps,
        anchor=anchor,
        **options,
    )


def linear(weights, image=None, flip=True, **more):
    image = photo() if image is None else image
    weights = np.asarray(weights, dtype=float)
    kh, kw = weights.shape
    taps = weights[::-1, ::-1].copy() if flip else weights
    anchor = (kw - 1 - kw // 2, kh - 1 - kh // 2) if flip else (kw // 2, kh // 2)
    kind = Linear(name="custom", spec=f"custom {kw}x{kh}", weights=weights)
    return run(image, correlate(gray(image), taps, anchor), kind, taps, anchor, **more)


def gradient(image=None, output="magnitude"):
    image = photo() if image is None else image
    taps = np.stack([SOBEL[::-1, ::-1], SOBEL.T[::-1, ::-1]])
    dx, dy = (correlate(gray(image), t, (1, 1)) for t in taps)
    if output in ("x", "y"):
        weights, response, taps = (SOBEL, dx, taps[0]) if output == "x" else (SOBEL.T, dy, taps[1])
        kind = Linear(name="sobel", spec=f"sobel:output={output}", weights=weights)
        written = shown(0.5 * response + 128)
        return run(image, response, kind, taps, (1, 1), written=written, gain=0.5, offset=128.0)
    kind = Gradient(name="sobel", spec=f"sobel:output={output}", dx=SOBEL, dy=SOBEL.T, output=output)
    if output == "magnitude":
        return run(image, np.hypot(dx, dy), kind, taps, (1, 1))
    angle = np.arctan2(dy, dx)
    written = shown(127.5 + 127.5 * angle / np.pi)
    return run(image, angle, kind, taps, (1, 1), written=written, gain=None, rule="half a turn is white")


def bank(output="max", image=None):
    image = photo() if image is None else image
    ring = [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0)]
    taps = np.zeros((8, 3, 3))
    for k in range(8):
        for i, cell in enumerate(ring):
            taps[(k, *cell)] = (5 if (i - k) % 8 < 3 else -3) / 15
    angles = tuple(np.deg2rad([135.0, 90, 45, 0, -45, -90, -135, 180]))
    answers = np.stack([correlate(gray(image), t, (1, 1)) for t in taps])
    rectified = output == "abs"
    response = {
        "max": answers.max(axis=0),
        "abs": np.abs(answers).max(axis=0),
        "energy": np.sqrt((answers**2).sum(axis=0)),
        "direction": np.where(answers.max(axis=0) > 1e-2, np.array(angles)[answers.argmax(axis=0)], 0.0),
    }[output]
    kind = Bank(
        name="kirsch",
        spec=f"kirsch:{output}",
        bank=tuple(t[::-1, ::-1] for t in taps),
        angles=angles,
        output=output,
        rectified=rectified,
    )
    if output == "direction":
        return run(image, response, kind, taps, (1, 1), gain=None, rule="half a turn is white")
    return run(image, response, kind, taps, (1, 1))


def median(size=3):
    image = photo()
    kind = Median(name="median", spec=f"median:size={size}", size=size)
    response = ndimage.median_filter(gray(image), size, mode="mirror")
    return run(image, response, kind, NONE, (size // 2, size // 2), rule="")


def bilateral(size=5, sigma=1.5, sigma_color=0.1):
    image = photo()
    g, r = gray(image).astype(float), size // 2
    padded = np.pad(g, r, mode="reflect")
    total, mass = np.zeros_like(g), np.zeros_like(g)
    for i in range(size):
        for j in range(size):
            v = padded[i : i + g.shape[0], j : j + g.shape[1]]
            far = ((i - r) ** 2 + (j - r) ** 2) / (2 * sigma**2)
            weight = np.exp(-far - (v - g) ** 2 / (2 * (sigma_color * 255) ** 2))
            total, mass = total + weight * v, mass + weight
    kind = Bilateral(name="bilateral", spec="bilateral", size=size, sigma=sigma, sigma_color=sigma_color)
    return run(image, total / mass, kind, NONE, (r, r), rule="")


def canny(sigma=1.0, low=0.1, high=0.2):
    """Thresholded magnitudes stand in for the thinned edges: what is tested is how they are shown."""
    image = photo()
    smooth = ndimage.gaussian_filter(gray(image).astype(float), sigma, mode="mirror", truncate=4.0)
    size = np.hypot(*(ndimage.sobel(smooth, axis, mode="mirror") for axis in (0, 1))) / (4 * 255)
    kind = Canny(name="canny", spec="canny", sigma=sigma, low=low, high=high)
    written = (255 * (size > high)).astype(np.uint8)
    return run(image, size > high, kind, NONE, (2, 2), written=written, gain=None, rule="")


def zero_crossings(n=9, threshold=0.02):
    image = photo()
    i = np.arange(n) - n // 2
    r2 = (i[:, None] ** 2 + i[None, :] ** 2) / (2 * 1.2**2)
    weights = (r2 - 1) * np.exp(-r2)
    weights = (weights - weights.mean()) / np.abs(weights).sum()
    log = correlate(gray(image), weights, (n // 2, n // 2))
    edge = np.zeros(log.shape, dtype=bool)
    for axis in (0, 1):
        after = np.roll(log, -1, axis)
        edge |= (np.sign(after) != np.sign(log)) & (np.abs(after - log) > threshold * 255)
    kind = ZeroCrossings(name="log", spec="log:zero", weights=weights, threshold=threshold)
    return run(
        image, edge, kind, NONE, (n // 2, n // 2), written=(255 * edge).astype(np.uint8), gain=None, rule=""
    )


def bell(n, sigma):
    i = np.arange(n) - n // 2
    b = np.exp(-(i**2) / (2 * sigma**2))
    return np.outer(b, b) / b.sum() ** 2


EMBOSS = [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]

CASES = {
    "emboss": lambda: linear(EMBOSS),
    "correlated": lambda: linear(EMBOSS, flip=False),
    "gaussian 5": lambda: linear(bell(5, 1.2), np.stack([photo(seed=s) for s in (1, 2, 3)], axis=2)),
    "gaussian 7": lambda: linear(bell(7, 1.4)),
    "box 15": lambda: linear(np.full((15, 15), 1 / 225)),
    "even": lambda: linear([[1, 2, 3, 4], [0, -1, 0.5, 2]]),
    "one": lambda: linear([[1.5]]),
    "row": lambda: linear(np.full((1, 31), 1 / 31)),
    "column": lambda: linear(np.full((23, 1), 1 / 23)),
    "tiny picture": lambda: linear([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], photo(5, 5)),
    "one pixel": lambda: linear(np.full((3, 3), 1 / 9), np.full((1, 1), 77, dtype=np.uint8)),
    "kernel larger than picture": lambda: linear(np.full((9, 9), 1 / 81), photo(4, 6)),
    "constant": lambda: linear(EMBOSS, np.full((20, 30), 131, dtype=np.uint8)),
    "colours": lambda: linear(bell(3, 1.0), photo(), colors=np.dstack([photo(seed=s) for s in (1, 3, 2)])),
    "one column": lambda: gradient(photo(200, 1)),
    "one row": lambda: gradient(photo(1, 200)),
    "wide": lambda: gradient(photo(20, 900)),
    "tall": lambda: gradient(photo(900, 20)),
    "long title": lambda: linear(EMBOSS, title="кернель " + "a very long title " * 20),
    "magnitude": gradient,
    "x": lambda: gradient(output="x"),
    "y": lambda: gradient(output="y"),
    "angle": lambda: gradient(output="direction"),
    "compass": bank,
    "compass abs": lambda: bank("abs"),
    "energy": lambda: bank("energy"),
    "compass direction": lambda: bank("direction"),
    "median": median,
    "median 9": lambda: median(9),
    "bilateral": bilateral,
    "bilateral 13": lambda: bilateral(13, 3.0, 0.2),
    "canny": canny,
    "zero crossings": zero_crossings,
}
