"""What the command line does: predict on files and folders, layers, and what train is handed."""

import io
import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from fashion_model import CLASSES, checkpoint
from fashion_model.__main__ import main
from fashion_model.training import recipes
from fashion_model.training.job import Job


@pytest.fixture
def folder(tmp_path, sheet):
    """boot.png, below/bag.jpg, below/.../deep.webp, broken.png and a text file"""
    boot, bag, trouser = (
        next(picture for picture, label in sheet if label == wanted) for wanted in (9, 8, 1)
    )
    (tmp_path / "below" / "more").mkdir(parents=True)
    boot.save(tmp_path / "boot.png")
    bag.save(tmp_path / "below" / "bag.JPG", "JPEG", quality=95)
    trouser.save(tmp_path / "below" / "more" / "trouser.webp", lossless=True)
    (tmp_path / "broken.png").write_text("a text with another name")
    (tmp_path / "notes.txt").write_text("skipped")
    return tmp_path


def test_predict_prints_a_line_a_file(folder, capsys):
    status = main(["predict", str(folder / "boot.png"), str(folder / "below")])
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert (status, err, len(lines)) == (0, "", 3)
    assert lines[0].startswith(f"{folder / 'boot.png'}: ")
    assert "Ankle boot" in lines[0]
    assert "bag.JPG: " in lines[1]
    assert "trouser.webp: " in lines[2]
    assert "Trouser" in lines[2]


def test_a_bad_file_is_an_error_and_the_others_are_still_done(folder, capsys):
    names = ["broken.png", "boot.png", "missing.png", "below/more/trouser.webp"]
    status = main(["predict", *(str(folder / name) for name in names)])
    out, err = capsys.readouterr()
    assert status == 1
    assert [line.split(":")[0] for line in out.splitlines()] == [
        str(folder / "boot.png"),
        str(folder / "below/more/trouser.webp"),
    ]
    assert f"{folder / 'broken.png'}: this is no picture" in err
    assert f"{folder / 'missing.png'}: there is no file 'missing.png'" in err
    assert len(err.splitlines()) == 2


def test_a_name_in_no_encoding_is_printed_escaped(folder, monkeypatch):
    name = folder / "h\udce4t.png"  # as in an old archive
    (folder / "boot.png").rename(name)
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="utf-8"))
    assert main(["predict", str(name)]) == 0
    sys.stdout.flush()
    assert "h\\udce4t.png: " in written.getvalue().decode()


def test_of_a_folder_everything_is_tried_or_named_as_skipped(folder, capsys):
    """The content decides; a text is named, and hidden files are left alone."""
    (folder / "boot.png").rename(folder / "boot.jfif")
    (folder / "below" / "bag.JPG").rename(folder / "below" / "bag")
    Image.new("L", (90, 90)).save(folder / "scan.tif")
    (folder / "photo.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(99))
    (folder / ".hidden").mkdir()
    for name in (".hidden.png", ".hidden/boot.png"):
        (folder / name).write_text("not looked at")
    assert main(["predict", str(folder)]) == 1
    out, err = capsys.readouterr()
    assert [line.split(":")[0] for line in out.splitlines()] == [
        str(folder / name) for name in ("below/bag", "below/more/trouser.webp", "boot.jfif")
    ]
    lines = [line.removeprefix(f"{folder}/").split(": ", 1) for line in err.splitlines()]
    assert [name for name, _ in lines] == ["broken.png", "notes.txt", "photo.HEIC", "scan.tif"]
    assert lines[1][1] == "skipped, its name says that it is no picture"
    assert "damaged" in lines[2][1]


def test_what_is_skipped_is_no_error_but_nothing_at_all_is(folder, capsys):
    (folder / "broken.png").unlink()
    assert main(["predict", str(folder)]) == 0
    assert "notes.txt: skipped" in capsys.readouterr().err
    for name in ("empty", "texts"):
        (folder / name).mkdir()
    (folder / "texts" / "labels.csv").write_text("path")
    for name in ("empty", "texts"):
        assert main(["predict", str(folder / name)]) == 1
        assert "is a folder" in capsys.readouterr().err


def test_predict_json(folder, capsys):
    assert main(["predict", "--json", str(folder / "boot.png"), str(folder / "below")]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer["file"].rsplit("/")[-1] for answer in answers] == [
        "boot.png",
        "bag.JPG",
        "trouser.webp",
    ]
    for answer in answers:
        assert set(answer) == {
            *("file", "confidences", "kind", "in_distribution", "out_of_distribution", "message"),
        }
        assert set(answer["confidences"]) == set(CLASSES)
        assert 0 <= answer["out_of_distribution"] <= 1
        assert answer["in_distribution"] == (answer["out_of_distribution"] < 0.5)
        assert sum(answer["confidences"].values()) == pytest.approx(1)
        assert answer["kind"] in ("dataset", "drawing", "photo")
        assert next(iter(answer["confidences"])) in answer["message"]


def test_train_hands_its_options_over_and_prints_what_it_made(tmp_path, monkeypatch, capsys):
    asked = []

    def train(job):
        asked.append(job)
        return checkpoint.resolve("line-detector")

    monkeypatch.setattr(recipes, "train", train)
    assert main(["train", "--network", "segmenter", "--pictures", "p", "--data", "d"]) == 0
    accuracy = checkpoint.load("line-detector", "cpu")[1]["accuracy"]
    scores = ", ".join(f"{name} accuracy {share:.2%}" for name, share in accuracy.items())
    assert capsys.readouterr().out == f"{checkpoint.resolve('line-detector')}: {scores}\n"
    options = ["--epochs", "2", "--seed", "3", "--out", "o", "--device", "cpu"]
    assert main(["train", *options]) == 0
    assert asked == [
        Job(network="segmenter", pictures="p", data="d"),
        Job(network="cnn", epochs=2, seed=3, out=Path("o"), device="cpu"),
    ]


def test_train_without_the_pictures_that_it_needs(tmp_path, made_up_data, capsys):
    arguments = ["train", "--data", str(made_up_data), "--network", "segmenter"]
    assert main(arguments) == 1
    assert "name their folder with --pictures" in capsys.readouterr().err
    assert main([*arguments, "--pictures", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err.startswith(f"error: cannot read {tmp_path / 'none'}")


def test_layers_prints_the_way_to_the_answer(folder, capsys):
    assert main(["layers", "--network", "mlp", str(folder / "boot.png")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if "torch.Size" in line] == [
        "input",
        "flatten",
        *(f"linear_relu_stack.{i}" for i in range(5)),
        "softmax",
        "argmax",
    ]
    assert "Linear(in_features=784, out_features=512, bias=True)" in lines[4]
    assert sum("e^" in line for line in lines) == len(CLASSES)
    assert lines[-1].endswith("Ankle boot.")


def test_layers_json_says_what_predict_says(folder, capsys):
    options = ["--json", "--network", "mlp", str(folder / "boot.png")]
    assert main(["predict", *options]) == 0
    confidences = json.loads(capsys.readouterr().out)["confidences"]
    assert main(["layers", *options]) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["kind"] == "dataset"
    assert about["steps"][2]["shape"] == "torch.Size([1, 512])"
    terms = about["steps"][-2]["terms"]
    assert {t["label"]: t["confidence"] for t in terms} == pytest.approx(confidences, abs=1e-5)


def test_layers_of_what_is_no_picture(folder, capsys):
    assert main(["layers", str(folder / "broken.png")]) == 1
    assert capsys.readouterr().err.startswith("error: this is no picture")
