"""Makes docs/images/explain.jpg: a scene of the demo data and the heat maps of its labels.

    python docs/explain_pictures.py [RUN] [--scene test-0254]

RUN is what `manylabel demo` left (runs/demo). Only demo scenes are shown: their drawings are free to share.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import manylabel
from manylabel.data import demo
from manylabel.encoders.cache import default_folder
from manylabel.explain import heat_maps
from manylabel.explaining.drawing import sheet
from manylabel.model import opened

DOCS = Path(__file__).parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path, default=DOCS.parent / "runs" / "demo")
    parser.add_argument("--scene", default="test-0254")
    options = parser.parse_args()
    file = demo.build(default_folder() / "demo").parent / "images" / f"{options.scene}.jpg"
    model = manylabel.load(options.run)
    said = model.predict([file])[0]
    titles = [f"{name} {100 * said.probabilities[name]:.0f} %" for name in said.labels]
    page = sheet(opened(file), heat_maps(model, file, said.labels), titles)
    page.save(DOCS / "images" / "explain.jpg", quality=88)
    return 0


if __name__ == "__main__":
    sys.exit(main())
