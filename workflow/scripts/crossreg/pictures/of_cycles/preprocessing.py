"""The picture of what the correlation saw of both stacks."""

from crossreg.pictures.drawing.layout import FONT_SIZE, arranged
from crossreg.pictures.drawing.paper import Paper
from crossreg.pictures.of_cycles.orthogonal_views import Views, draw_views, geometry
from crossreg.pictures.of_cycles.previews import Preview
from crossreg.pictures.of_cycles.shown_cycle import Cycle

MARGIN = (0.25, 0.35)
LEAST_WIDTH = 1.6
"""Inches that the title of a panel takes."""
HEADER = 0.75


def preprocessing_picture(cycle: Cycle, reference: Preview, image: Preview) -> Paper:
    """Return the picture: raw and band-passed projections of the reference and of the cycle."""
    shape = geometry(reference.shape_zyx, cycle)
    panels = [
        (f"{kind} {name}", Views(*(getattr(preview, prefix + axis) for axis in ("xy", "zx", "zy"))))
        for name, preview in ((cycle.reference, reference), (cycle.name, image))
        for kind, prefix in (("Raw", ""), ("Seen:", "seen_"))
    ]
    columns, scale = arranged(len(panels), shape.cell, MARGIN)
    cell = [scale * size + extra for size, extra in zip(shape.cell, MARGIN, strict=True)]
    cell[0] = max(cell[0], LEAST_WIDTH)
    paper = Paper(
        max(columns * cell[0] + MARGIN[0], 7.0),
        HEADER + -(-len(panels) // columns) * cell[1] + 0.1,
        f"{cycle.title}: preprocessing",
    )
    paper.note("raw: brightest values along each axis    seen by the correlation: band-passed sums")
    for index, (title, views) in enumerate(panels):
        row, column = divmod(index, columns)
        corner = (MARGIN[0] + column * cell[0], HEADER + row * cell[1] + 0.25)
        draw_views(paper, corner, scale, views, shape, cycle, reference.slab)
        paper.text((corner[0], corner[1] - 0.2), title, size=FONT_SIZE + 1)
    return paper
