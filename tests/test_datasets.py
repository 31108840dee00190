"""Fashion-MNIST from made-up idx files and, where it is present, the real one; labels.csv."""

import csv
import gzip
from pathlib import Path

import pytest
import torch

from conftest import idx, made_up_fashion_mnist, write_idx
from fashion_model import datasets as data
from fashion_model.errors import DataError
from fashion_model.networks import CLASSES


@pytest.fixture
def content(monkeypatch):
    """Seven training and three test pictures, and the checksums that belong to them."""
    return made_up_fashion_mnist(monkeypatch, 7, 3)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("below", ["", "FashionMNIST/raw"])
@pytest.mark.parametrize("train", [True, False])
def test_reads_a_named_folder(tmp_path, content, packed, below, train):
    write_idx(tmp_path / below, content, packed)
    images, labels = data.load_fashion_mnist(train, tmp_path)
    assert images.dtype == torch.uint8
    assert labels.dtype == torch.int64
    assert torch.equal(images, content[train][0])
    assert torch.equal(labels, content[train][1].long())


def test_finds_debians_folder_first_then_an_earlier_download(tmp_path, content, monkeypatch):
    monkeypatch.setattr(data, "DEBIAN", tmp_path / "debian")
    monkeypatch.setattr(data, "DOWNLOADS", tmp_path / "downloads")
    assert not data.is_installed()
    write_idx(tmp_path / "downloads" / "FashionMNIST" / "raw", content, packed=False)
    assert data.is_installed()
    assert len(data.load_fashion_mnist(True)[0]) == 7
    write_idx(tmp_path / "debian", content, packed=True)
    (tmp_path / "downloads" / "FashionMNIST" / "raw" / "train-labels-idx1-ubyte").unlink()
    assert len(data.load_fashion_mnist(True)[0]) == 7


def all_three_ways(text: str) -> bool:
    return all(way in text for way in ("dataset-fashion-mnist", "--data FOLDER", "downloads"))


def test_a_failed_download_says_the_three_ways(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "DEBIAN", tmp_path / "debian")
    monkeypatch.setattr(data, "DOWNLOADS", tmp_path / "downloads")
    from torchvision.datasets import FashionMNIST

    monkeypatch.setattr(FashionMNIST, "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(DataError) as caught:
        data.load_fashion_mnist(True)
    assert "download" in str(caught.value)
    assert all_three_ways(str(caught.value))


def test_a_folder_without_the_files(tmp_path, content):
    with pytest.raises(DataError) as caught:
        data.load_fashion_mnist(True, tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in str(caught.value)
    assert all_three_ways(str(caught.value))
    write_idx(tmp_path, content, packed=True)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match="no Fashion-MNIST in"):
        data.load_fashion_mnist(True, tmp_path)


GOOD = gzip.compress(idx(torch.zeros(7, 28, 28, dtype=torch.uint8)))


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(GOOD[:-20], id="gzip cut short"),
        pytest.param(b"", id="empty"),
        pytest.param(b"not gzip at all", id="not gzip"),
        pytest.param(GOOD[:14] + b"\xff\xff\xff" + GOOD[17:], id="gzip with wrong bytes"),
        pytest.param(gzip.compress(b""), id="nothing inside"),
        pytest.param(gzip.compress(b"\0\0\x0a\x03" + b"\0" * 100), id="unknown type"),
        pytest.param(gzip.compress(b"\0\0\x08\x01\0\0\0\x01\0"), id="labels for images"),
        pytest.param(gzip.compress(idx(torch.zeros(7, 28, 28).byte())[:-50]), id="idx cut short"),
        pytest.param(GOOD, id="other pictures"),
    ],
)
def test_damaged_files(tmp_path, content, damaged):
    write_idx(tmp_path, content, packed=True)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(damaged)
    with pytest.raises(DataError) as caught:
        data.load_fashion_mnist(True, tmp_path)
    assert all_three_ways(str(caught.value))


def test_split_holds_out_the_last_5000():
    images = torch.arange(6000, dtype=torch.int32).view(-1, 1, 1)
    (train, train_labels), (held, held_labels) = data.split(images, torch.arange(6000))
    assert (len(train), len(held)) == (1000, 5000)
    assert train_labels[-1] == train[-1] == 999
    assert held_labels[0] == held[0] == 1000


@pytest.mark.dataset
def test_the_real_data_set(fashion_mnist_test):
    images, labels = fashion_mnist_test
    assert images.shape == (10_000, 28, 28)
    assert torch.equal(torch.bincount(labels), torch.full((10,), 1000))


LABELS = "path,source,label,accept,sender\n"


def test_load_labeled(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("a/1.png", "a/ü 2.jpg"):
        (tmp_path / name).touch()
    (tmp_path / "labels.csv").write_text(
        LABELS + 'a/1.png,home,Shoes,Sandal|Ankle boot,s1\n"a/ü 2.jpg",home,Hat,,\n',
        encoding="utf-8",
    )
    assert data.load_labeled(tmp_path) == [
        data.LabeledPicture(tmp_path / "a/1.png", "home", "Shoes", (5, 9), "s1"),
        data.LabeledPicture(tmp_path / "a/ü 2.jpg", "home", "Hat", (), ""),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "columns path, source, label, accept, sender"),
        (b"\xff\xfe\x00", "cannot read"),
        (b"path,label\na.png,Hat\n", "line 2: no 'source'"),
        (LABELS.encode() + b"a.png,home,Hat\n", "line 2: no 'accept'"),
        (LABELS.encode() + b"a.png,home,Hat,Hat,\n", "'Hat' is none of T-shirt/top, Trouser"),
        (LABELS.encode() + b"b.png,home,Hat,,\n", "no picture"),
    ],
)
def test_bad_labels(tmp_path, text, says):
    (tmp_path / "a.png").touch()
    if text is not None:
        (tmp_path / "labels.csv").write_bytes(text)
    with pytest.raises(DataError, match=says.replace("|", r"\|")):
        data.load_labeled(tmp_path)


def test_folds_keep_groups_together_and_depend_on_nothing_else():
    def picture(group: str, name: str = "a.png", label: str = "Hat") -> data.LabeledPicture:
        return data.LabeledPicture(Path("any") / name, "home", label, (), group)

    # sha256sum of "54" begins with these eight bytes
    assert data.group_fold(picture("54")) == 0x2FCA346DB6561871 % 5
    moved = data.LabeledPicture(Path("elsewhere/b.jpg"), "shop", "Dress", (3,), "54")
    assert data.group_fold(moved) == data.group_fold(picture("54"))
    assert {data.group_fold(picture(str(i))) for i in range(40)} == {0, 1, 2, 3, 4}
    assert {data.group_fold(picture(str(i)), folds=2) for i in range(40)} == {0, 1}

    unknown = [picture("", f"{i:03}.png") for i in range(500)]
    counts = [sum(data.group_fold(p) == fold for p in unknown) for fold in range(5)]
    assert all(70 <= count <= 130 for count in counts), counts
    elsewhere = data.LabeledPicture(Path("/other/folder/a.png"), "home", "Hat", (), "")
    assert data.group_fold(elsewhere) == data.group_fold(picture(""))


def test_a_drawing_and_the_same_one_from_its_strokes_are_one_group(tmp_path):
    """The older drawings have no sender: their group gets the form that the newer ones use.
    By hand: sha256sum of "quickdraw cell phone 007" begins with 9cdbe51664ef79e2."""
    paths = [f"doodles/{folder}/cell_phone/007.png" for folder in ("doodle-other", "vector")]
    rows = [
        f"{paths[0]},doodle-other,cell phone,,",
        f"{paths[1]},vector,cell phone,,quickdraw cell phone 007",
        "elsewhere/doodle/cell_phone/007.png,doodle,cell phone,,",
    ]
    for row in rows:
        path = tmp_path / row.split(",")[0]
        path.parent.mkdir(parents=True)
        path.touch()
    (tmp_path / "labels.csv").write_text(LABELS + "\n".join(rows))
    older, vector, elsewhere = data.load_labeled(tmp_path)
    assert older.group == vector.group == "quickdraw cell phone 007"
    assert data.group_fold(older) == data.group_fold(vector) == 0x9CDBE51664EF79E2 % 5
    assert elsewhere.group == ""


def test_corrected_labels_by_hand(tmp_path, monkeypatch):
    def picture(name: str, *targets: int) -> data.LabeledPicture:
        path = tmp_path / "photos" / "home" / "Polo" / name
        return data.LabeledPicture(path, "home", "Polo", targets, "1")

    table = tmp_path / "corrected.csv"
    lines = ("a.jpg,T-shirt/top|Shirt", "b.jpg,other", "c.jpg,skip", "d.jpg,Coat")
    table.write_text("path,accept\n" + "\n".join(f"photos/home/Polo/{line}" for line in lines))
    monkeypatch.setattr(data, "CORRECTED", table)
    pictures = [picture("a.jpg"), picture("b.jpg", 3), picture("c.jpg", 3), picture("d.jpg", 2)]
    pictures.append(picture("e.jpg", 5, 7))
    assert [p.targets for p in data.correct_labels(pictures)] == [(0, 6), (), (4,), (5, 7)]
    single = data.correct_labels(pictures, keep_single=True)
    assert [p.targets for p in single] == [(0, 6), (), (2,), (5, 7)]
    assert [p.path.name for p in single] == ["a.jpg", "b.jpg", "d.jpg", "e.jpg"]


def test_the_table_of_corrected_labels_names_classes_only():
    with data.CORRECTED.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len({row["path"] for row in rows}) == len(rows) > 500
    for row in rows:
        names = row["accept"].split("|")
        assert names in (["other"], ["skip"]) or set(names) <= set(CLASSES), row


def test_vague_is_a_label_of_its_source_without_targets():
    def vague(source: str, label: str, *targets: int) -> bool:
        return data.LabeledPicture(Path("a.jpg"), source, label, targets, "").vague

    assert vague("home", "Polo")
    assert vague("worn", "scarf")
    assert not vague("home", "Polo", 6)
    assert not vague("home", "Hat")
    assert not vague("worn", "skirt")
    assert not vague("doodle-other", "belt")


@pytest.mark.dataset
def test_the_sheet_is_of_the_real_test_set(sheet, fashion_mnist_test):
    images, labels = fashion_mnist_test
    for picture, label in sheet:
        pixels = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).view(28, 28)
        same = (images == pixels).all(dim=(1, 2))
        assert label in labels[same]
