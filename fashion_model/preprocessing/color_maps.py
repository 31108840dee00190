"""What a color map did, undone: colors -> the values that matplotlib showed as them."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

MAX_GRAY_CHROMA = 12  # of 255, between the channels of a gray picture that was saved as JPEG
MAX_DISTANCE = 9.0  # mean distance from the color map, of 255, chroma counted half

_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.085, -0.166, 0.25], [0.25, -0.21, -0.041]], np.float32
).T  # RGB -> luma and half of the two chromas, which JPEG stores at half of the pixels

# matplotlib's colors at 0, 10, ..., 100 % of each map, as RGB in hexadecimal.
_COLOR_MAPS = """
viridis  440154482374404387345e8d29788e20908c22a78444be7079d151bdde26fde724
plasma   0c078640039c6a00a78f0da3b02a8fcb4777e06461f2844bfca635fcce25eff821
inferno  000003160b394109676a176e932567bb3754dc5039f37719fba40af5d745fcfea4
magma    000003140d353b0f6f63197f8c2980b63679dd4968f6705bfd9f6cfdcf92fbfcbf
cividis  00224d08337035456c4e566c6669707c7b78948e77aea271c8b765e4ce51fde737
turbo    30123b4458cb3e9bfe18d5cc46f783a4fc3be1dc37fda330ef5a11c324027a0402
jet      00007f0000f1004cff00b0ff29ffcd7cff79cdff29ffc400ff6700f107007f0000
hot      0a00004c0000900000d20000ff1700ff5b00ff9d00ffe100ffff36ffff9cffffff
bone     00000015151e2c2c3e42425c595c79707b8f8599a59cb8bcb9d2d2dce9e9ffffff
copper   0000001e130c3e27195d3b257d4f329e633fbc774cdd8b59fb9f65ffb372ffc77e
Blues    f7fbffe3eef8cfe1f2b6d4e993c4de6aadd54a97c92d7dbb1764ab08499108306b
Greens   f7fcf5e8f6e4d3edccb8e2b198d49373c3754bb0612e974e157e3a00642800441b
Reds     fff5f0fee4d8fcc9b4fcab8efb8a6afa6949f14432d82522bb1419970b1367000c
Oranges  fff5ebfee9d4fdd8b3fdc28cfda761fc8c3bf3701be25407c440019d32037f2704
Purples  fcfbfdf1f0f6e2e1efcecee5b6b6d89d99c78682bc7261ab61409b4f1e8b3f007d
YlGnBu   ffffd9f0f9b9d6efb2abdeb672c8bc40b5c32498c02071b1234da01e2f87081d58
"""
_MAPS = np.array([list(bytes.fromhex(line.split()[1])) for line in _COLOR_MAPS.split("\n")[1:-1]])
_KEYS: Floats = _MAPS.reshape(-1, 11, 3).astype(np.float32) @ _YCC  # (maps, 11, 3)


def values_of(colors: Floats) -> Floats | None:
    """Tones (H, W) or RGB (H, W, 3) -> values (H, W), 0 to 255; None if they are of no map.

    Whether low values are dark depends on the map: viridis and Blues start at opposite ends.
    """
    if colors.ndim == 2:
        return colors
    if np.percentile(np.ptp(colors, 2), 98) <= MAX_GRAY_CHROMA:
        return colors.mean(2)
    points = colors.reshape(-1, 3) @ _YCC
    distances = np.square(points[::7, None, None] - _KEYS).sum(3).min(2).mean(0)
    results = [_on_map(points, _KEYS[n]) for n in distances.argsort()[:3]]
    values, distance = min(results, key=lambda result: result[1])
    return values.reshape(colors.shape[:2]) if distance <= MAX_DISTANCE else None


def _on_map(points: Floats, keys: Floats) -> tuple[Floats, float]:
    """Where on the line through keys (11, 3) the points (N, 3) are, 0 to 255; mean distance."""
    start, step = keys[:-1], np.diff(keys, axis=0)
    along = np.einsum("nkc,kc->nk", points[:, None] - start, step) / np.square(step).sum(1)
    along = along.clip(0, 1)
    distance = np.square(start + along[..., None] * step - points[:, None]).sum(2)
    nearest = distance.argmin(1)[:, None]
    values = (nearest + np.take_along_axis(along, nearest, 1))[:, 0] * np.float32(25.5)
    return values, float(np.sqrt(np.take_along_axis(distance, nearest, 1)).mean())
