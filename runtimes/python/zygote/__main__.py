"""Start of a zygote: `python3 -I -S -B <folder>/zygote/__main__.py`, with the control channel on descriptor 3. See hearth_zygote.serve."""

import sys


def _main():
    folder = __file__.rpartition("/")[0] or "."
    sys.path.insert(0, folder)
    from hearth_zygote import serve

    sys.path.remove(folder)
    serve.run()


if __name__ == "__main__":
    _main()
