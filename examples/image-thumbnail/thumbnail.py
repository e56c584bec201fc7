"""A smaller copy of an image: bytes in, bytes out."""

import io

from PIL import Image, ImageOps, UnidentifiedImageError

# Each decoder is code that reads what strangers send: only those that are needed.
FORMATS = ["JPEG", "PNG", "WEBP"]
# A file of some kilobytes can be an image of gigabytes. Opening one reads its head only, so that this is asked before it is decoded.
MAX_PIXELS = 40_000_000
# Pillow's own bound, which only warns at first.
Image.MAX_IMAGE_PIXELS = None
SIZES = range(16, 1025)


def handler(message):
    size = message["query"].get("size", "128")
    if not size.isascii() or not size.isdigit() or int(size[:5]) not in SIZES:
        return refusal(400, f"size is a number of pixels from {SIZES[0]} to {SIZES[-1]}")
    try:
        with Image.open(io.BytesIO(message["raw_body"]), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                return refusal(413, f"an image has at most {MAX_PIXELS} pixels")
            kind = image.format
            image.thumbnail((int(size), int(size)))
            # Cameras turn a picture by a note in its metadata, which the copy doesn't have.
            small = ImageOps.exif_transpose(image)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        # What Pillow raises for files that are damaged.
        return refusal(415, f"the body is no image of the formats {', '.join(FORMATS)}, or it is damaged")
    output = io.BytesIO()
    small.save(output, kind)
    return {"statusCode": 200, "headers": {"Content-Type": f"image/{kind.lower()}"}, "body": output.getvalue()}


def refusal(status, why):
    return {"statusCode": status, "body": {"error": why}}
