"""Weights of red, green and blue in gray."""

#: ITU-R BT.601-7, 2.5.1: luma of gamma-coded red, green and blue, as in OpenCV, Pillow and JPEG.
LUMA = (0.299, 0.587, 0.114)
#: ITU-R BT.709-6, item 3.2: luminance of linear red, green and blue.
LUMINANCE = (0.2126, 0.7152, 0.0722)
