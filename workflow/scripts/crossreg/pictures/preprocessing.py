"""The picture of what the correlation saw of both stacks."""

from matplotlib.figure import Figure

from crossreg.pictures.canvas import arranged, new_figure
from crossreg.pictures.cycle import Cycle
from crossreg.pictures.orthogonal import Views, draw_views, geometry
from crossreg.pictures.previews import Preview

MARGIN = (0.25, 0.35)
LEAST_WIDTH = 1.6
"""Inches that the title of a panel takes."""
HEADER = 0.75


def preprocessing_figure(cycle: Cycle, reference: Preview, image: Preview) -> Figure:
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
    figure = new_figure(
        max(columns * cell[0] + MARGIN[0], 7.0),
        HEADER + -(-len(panels) // columns) * cell[1] + 0.1,
        f"{cycle.title}: preprocessing",
    )
    width, height = figure.get_size_inches()
    note = "raw: brightest values along each axis    seen by the correlation: band-passed sums"
    figure.text(0.15 / width, 1 - 0.4 / height, note, va="top")
    for index, (title, views) in enumerate(panels):
        row, column = divmod(index, columns)
        place = (MARGIN[0] + column * cell[0], HEADER + row * cell[1] + 0.25)
        axes = draw_views(figure, place, scale, views, shape, cycle, reference.slab)
        axes.set_title(title, loc="left", pad=4)
    return figure
