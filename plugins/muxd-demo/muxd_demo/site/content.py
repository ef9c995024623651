"""What is written on the site when it opens: names, posts, news, messages."""

from __future__ import annotations

__all__ = [
    "BYLINES",
    "FIRST_NAMES",
    "IDEAS",
    "LAST_NAMES",
    "MESSAGES",
    "NEWS",
    "POSTS",
    "TOPICS",
]

TOPICS = ("birds", "weather", "garden", "coffee", "trains", "maps")

FIRST_NAMES = (
    "Ada", "Bram", "Chidi", "Dora", "Emre", "Freya", "Goran", "Hana", "Idris", "Jun",
    "Kofi", "Lena", "Mateo", "Noor", "Olga", "Priya", "Quinn", "Rosa", "Sami", "Tove",
)  # fmt: skip
LAST_NAMES = (
    "Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Ginkgo", "Hazel", "Ivy", "Juniper",
    "Larch", "Maple", "Oak",
)  # fmt: skip

POSTS = (
    ("birds", "Three goldcrests in the hedge this morning. They weigh less than a coin."),
    ("coffee", "The trick is not the beans. The trick is to warm the cup."),
    ("trains", "The 7:14 has a new driver, and he whistles."),
    ("maps", "Found a 1911 map of our street. The bakery was a bakery then, too."),
    ("garden", "Beans are up. Slugs have been told."),
    ("weather", "Fog until ten, then the whole valley at once."),
    ("birds", "A heron stood on the weir for forty minutes. So did I."),
    ("garden", "First tomato: red, small, worth it."),
    ("trains", "Sleeper to the coast: you wake up and the window is sea."),
    ("coffee", "Tried it with cardamom. No notes."),
    ("maps", "Contour lines are just very patient handwriting."),
    ("weather", "Hail on the greenhouse. Everyone inside stopped talking."),
    ("birds", "The swifts are back, eight days earlier than last year."),
    ("garden", "Compost at 61 degrees. I could cook on it."),
    ("trains", "They repainted the signal box in its old colours."),
    ("coffee", "Cold brew is a test of character that takes sixteen hours."),
    ("weather", "Barometer fell so fast I tapped it twice."),
    ("maps", "Our footpath is on the new edition. It took three letters."),
    ("birds", "Listening tip: robins sing at night under street lamps."),
    ("garden", "Planted garlic. See you in July."),
    ("trains", "Counted 44 wagons. The forty-fifth was pulling."),
    ("weather", "Rainbow, double, no camera."),
    ("maps", "Blue for water, green for woods, and brown for regret at the steep bit."),
    ("coffee", "Somebody left a full tin at the office. We are best friends now."),
)

IDEAS = (
    ("birds", "How to tell a marsh tit from a willow tit (listen, don't look)"),
    ("garden", "What we sow this week, and what can wait"),
    ("weather", "Reading the evening sky in four pictures"),
    ("coffee", "One grinder, three settings, a week of mornings"),
    ("trains", "The quietest seat on the night train"),
    ("maps", "A walk that follows a line drawn in 1911"),
    ("birds", "Feeders: move them before winter, not in it"),
    ("garden", "Ten plants that forgive you"),
)

NEWS = (
    "Harbour ferry returns after winter refit",
    "Library opens its roof garden to readers",
    "Night buses to run until two on Fridays",
    "Town clock is right again, for the first time since 1987",
    "School orchard wins regional prize",
    "New footbridge: river path closed for three weeks",
    "Peregrines nest on the grain silo",
    "Market moves to the station square",
    "Old cinema to show silent films with a live band",
    "Repair café mends its thousandth lamp",
    "Rainfall in spring lowest in a decade",
    "Museum finds lost survey map behind a cupboard",
    "Tram line 4 gets its first new cars in thirty years",
    "Volunteers plant two thousand trees along the bypass",
    "Bakery on Mill Lane turns one hundred",
    "Swifts counted on forty rooftops in one evening",
    "Canal lock reopens, boats queue to the bend",
    "Weather station on the hill goes online",
    "Community garden looks for a second field",
    "Signal box to become the smallest café in the county",
)

BYLINES = ("Freya Alder", "Kofi Larch", "Hana Elm", "Mateo Oak")

MESSAGES = (
    "Where was the heron picture taken?",
    "Is the goldcrest count for one garden or for the street?",
    "Which map edition has the footpath?",
    "Do you water beans in the evening or in the morning?",
    "Could you post the sleeper's timetable again?",
    "My robin sings at three. Is that normal?",
    "What grind do you use for cold brew?",
    "May we reprint your fog picture in the parish letter?",
    "How early is too early for garlic?",
    "Who do I write to about a missing footpath?",
    "Is the signal box open to visitors?",
    "Your barometer: aneroid or mercury?",
)
