"""JPEGs with four channels -> RGB. Few say what the four are, and Pillow takes all for Adobe's."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops
from PIL.JpegImagePlugin import JpegImageFile

_MOST_BLACK = 224  # of 255, black ink in half of the pixels of a picture that was read as negative
_EXTREME = 8  # of 255, from nothing or all, which JPEG makes of an opacity of 0 or 1
_MOSTLY = 0.95  # share of the pixels


@dataclass(frozen=True)
class Inks:
    """What the channels of a four-channel JPEG are, as Pillow gives them: inverted, as by Adobe.

    ycc: the first three are luma and chroma, which no marker told Pillow to convert. plain: nothing
    was to be inverted. alpha: the fourth is opacity, as Java's ImageIO writes it.
    """

    ycc: bool = False
    plain: bool = False
    alpha: bool = False

    def to_rgb(self, picture: Image.Image) -> Image.Image:
        """picture, "CMYK", as "RGB", or as "RGBA" where there is an opacity."""
        *colors, fourth = picture.split()
        if self.ycc:
            stored = [ImageChops.invert(channel) for channel in colors]
            colors = list(Image.merge("YCbCr", stored).convert("RGB").split())
        if self.alpha:
            return Image.merge("RGBA", [*colors, ImageChops.invert(fourth)])
        inks = [*colors, fourth]
        if self.plain:
            inks = [ImageChops.invert(channel) for channel in inks]
        return Image.merge("CMYK", inks).convert("RGB")


def read_inks(picture: Image.Image) -> Inks | None:
    """How to read picture, loaded; None unless it is a JPEG with four channels.

    Adobe's marker is believed, unless half of the picture were black then. Without it the channels
    are luma and chroma where an encoder treated them so, and the fourth channel decides the rest:
    it is opacity where it is nothing or all, and black ink is little in most of a picture.
    """
    if not isinstance(picture, JpegImageFile) or picture.mode != "CMYK":
        return None
    black = np.cumsum(picture.getchannel("K").histogram()) / (picture.width * picture.height)
    median = int(np.searchsorted(black, 0.5))
    if "adobe" in picture.info:
        return Inks(plain=median > _MOST_BLACK)
    first, second = picture.layer[:2]  # (identifier, horizontal, vertical sampling, table)
    ycc = first[1:] != second[1:]
    extreme = black[_EXTREME] + 1 - black[255 - _EXTREME]
    if ycc and extreme >= _MOSTLY and black[_EXTREME] >= 1 - _MOSTLY:
        return Inks(ycc=True, alpha=True)
    return Inks(ycc=ycc, plain=median >= 128)
