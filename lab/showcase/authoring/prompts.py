"""What the workflows of today's models draw."""

from __future__ import annotations

STREET = (
    "A narrow street in Lisbon after rain, a yellow tram coming uphill, laundry between the "
    "houses, low evening sun on wet stones, photograph"
)
KITCHEN = (
    "A hedgehog in a small kitchen, flour on its nose, kneading dough on a wooden table, morning "
    "light through the window, photograph"
)
SHOP = (
    "A small bookshop at night seen from the street, warm light behind the window, a hand-painted "
    'sign that says "OPEN UNTIL THE RAIN STOPS", reflections on the wet pavement, photograph'
)
BLURRY = "blurry, distorted, low quality, deformed hands, unreadable letters"
EDIT = "Make the main object of image 1 out of the material that image 2 shows. Keep all else."
GREENHOUSE = (
    "An old greenhouse full of ferns, a red umbrella left open on the stone floor, broken panes, "
    "soft overcast light, photograph"
)
POSTER = (
    "A screen-printed poster of a lighthouse in a storm, three colours, rough paper, bold shapes, "
    'the word "KEEPER" in large letters below'
)
ANIME = (
    "masterpiece, best quality, score_7, safe, a girl with short hair on a bicycle, a fox in its "
    "basket, seaside road, summer clouds, wind, detailed background"
)
NO_ANIME = "worst quality, low quality, score_1, score_2, score_3, blurry, jpeg artifacts, sepia"
TIGER = (
    "A close photograph of a tiger drinking from a river at dawn, its reflection in the water, "
    "mist above the far bank, every whisker sharp"
)
UNFINISHED = (
    "A low quality, unfinished sketch. The image is blurred, oversaturated, and full of artifacts."
)
