"""The report says which spots, images and exports were made, and how."""

from crossreg.report.about_applied import applied, receipts


def test_every_receipt_gives_a_row_with_its_first_line(tmp_path):
    texts = {
        "receipts/localizations/a.csv.txt": "a.csv, found in raw stacks: 2 spots.\n",
        "registered/left/02.txt": "02.ome.zarr: ROI left 02, channels beads\n",
        "registered/left/03.txt": "This result is missing: it does not match.\n",
        "pyhim/left/README.txt": "ROI left, registered to 01: 02.\n\nRun pyHiM\n",
        "registered/left/02.ome.zarr/0/.zarray": "{}",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    # A mark that an image is to be tried again is no receipt.
    (tmp_path / "registered" / "left" / ".again-02.txt").write_text("2026-01-01 it has no shift\n")
    assert len(receipts(tmp_path)) == 4
    assert applied(tmp_path) == [
        ("Spots", "localizations", "a.csv, found in raw stacks: 2 spots."),
        ("Images", "registered/left", "02.ome.zarr: ROI left 02, channels beads"),
        ("Images", "registered/left", "This result is missing: it does not match."),
        ("pyHiM", "pyhim/left", "ROI left, registered to 01: 02."),
    ]
    assert applied(tmp_path / "elsewhere") == []
