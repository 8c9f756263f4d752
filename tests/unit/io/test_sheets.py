"""Sheets are read as people and their programs write them."""

import pytest

from crossreg.fiducial.experiment.sample import Sample
from crossreg.io.errors import UserError
from crossreg.io.sheet import read_sheet, sheet_text

LINES = [("roi", "cycle", "path"), ("001", "RT1", "my images/a.tif"), ("pos3", "DAPI", "b.tif")]
WANTED = [Sample("001", "RT1", "my images/a.tif"), Sample("pos3", "DAPI", "b.tif")]


def joined(separator, end="\n", quote="", start=""):
    lines = [separator.join(f"{quote}{word}{quote}" for word in line) for line in LINES]
    return start + end.join([*lines, ""])


@pytest.mark.parametrize(
    "text",
    [
        joined("\t"),
        joined(",", quote='"'),
        joined(";", end="\r\n", start="\ufeff"),
        joined("\t", end="\r\n", quote='"'),
        joined(" , "),
        joined(",", end=",,\n"),
        "\n\n" + joined("\t", end="\n\n"),
        'Path,Cycle,ROI,note\nmy images/a.tif,RT1,001,"seen, kept"\nb.tif,DAPI,pos3,\n',
        "sep=;\r\n" + joined(";", end="\r\n"),
        "# mine\n\n" + joined("\t", end="\n# seen\n"),
        joined("\t", end="\r"),
        joined(",", end=",,\n") + ",,,,\n",
        # R, with names of rows, and without a value
        '"","roi","cycle","path","time"\n"1","001","RT1","my images/a.tif",NA\n'
        '"2","pos3","DAPI","b.tif",NA\n',
        '"roi"\t"cycle"\t"path"\n"1"\t"001"\t"RT1"\t"my images/a.tif"\n'
        '"2"\t"pos3"\t"DAPI"\t"b.tif"\n',
        # decimal commas of other columns
        "roi;cycle;path;drift\n001;RT1;my images/a.tif;0,5\npos3;DAPI;b.tif;1,25\n",
        'roi,cycle,path,note\n001,RT1,my images/a.tif,"two\nlines"\npos3,DAPI,b.tif,\n',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_sheet_is_read_however_it_is_written(tmp_path, text, encoding):
    path = tmp_path / "sheet.csv"
    path.write_bytes(text.encode(encoding))
    assert read_sheet(path) == WANTED


def test_the_line_of_a_fault_is_that_of_the_file(tmp_path):
    path = tmp_path / "sheet.tsv"
    path.write_text('# mine\nroi,cycle,path,note\n1,RT1,a.tif,"two\nlines"\n# seen\n2,RT1,,\n')
    with pytest.raises(UserError, match="line 6 has no path"):
        read_sheet(path)


def test_series_time_and_channel_say_which_image_of_a_file_is_meant(tmp_path):
    path = tmp_path / "sheet.tsv"
    path.write_text("roi\tcycle\tpath\tseries\ttime\tchannel\n1\tR1\ta.lif\tfov 2\t3\tCy3,long\n")
    (sample,) = read_sheet(path)
    assert (sample.series, sample.time, sample.channel) == ("fov 2", "3", "Cy3,long")
    assert sample.image == "series=fov 2,channel=Cy3,long,time=3"


@pytest.mark.parametrize("path", ["a b.tif", 'a"b".tif', '"a.tif', "a,b;c.tif", "é.tif"])
def test_our_own_sheet_comes_back_as_it_was_written(tmp_path, path):
    file = tmp_path / "samples.tsv"
    file.write_text(sheet_text([Sample("1", "RT1", path)]))
    assert read_sheet(file) == [Sample("1", "RT1", path)]
