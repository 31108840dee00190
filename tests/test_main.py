"""The command line, in this process except where the process itself is the matter."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import TOP
from fashion_model import CLASSES, checkpoint
from fashion_model.__main__ import main
from fashion_model.training import finishing, recipes


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
    (tmp_path / "notes.txt").write_text("not looked at in folders")
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


def test_a_folder_with_a_bad_file_and_a_folder_without_any(folder, capsys):
    assert main(["predict", str(folder)]) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 3
    assert len(err.splitlines()) == 1
    (folder / "empty").mkdir()
    assert main(["predict", str(folder / "empty")]) == 1
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
        assert set(answer["confidences"]) == set(CLASSES)
        assert sum(answer["confidences"].values()) == pytest.approx(1)
        assert answer["kind"] in ("dataset", "drawing", "photo")
        assert next(iter(answer["confidences"])) in answer["sentence"]


def run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "fashion_model", *arguments],
        cwd=TOP,
        input=stdin,
        capture_output=True,
    )


def test_standard_input_in_a_process_of_its_own(folder):
    done = run("predict", "-", stdin=(folder / "boot.png").read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"-: ")
    assert b"Ankle boot" in done.stdout
    empty = run("predict", "-")
    assert (empty.returncode, empty.stdout) == (1, b"")
    assert empty.stderr.startswith(b"-: the file is empty")


def test_a_reader_that_has_seen_enough(folder):
    """As in "predict FOLDER | head -1": no traceback."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fashion_model", "predict", str(folder / "boot.png")],
        cwd=TOP,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 1
    assert err == b""


def test_errors_of_the_package_are_one_line(tmp_path, capsys):
    assert main(["predict", "--network", "none", "x.png"]) == 1
    assert capsys.readouterr().err.startswith("error: there is no checkpoint")
    assert main(["train", "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("error: there is no Fashion-MNIST in")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["predict"],
        ["predict", "--kind", "sketch", "x.png"],
        ["train", "--network", "none"],
        ["train", "--epochs", "0"],
        ["train", "--epochs", "many"],
    ],
)
def test_wrong_command_lines_end_with_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_train_writes_a_checkpoint_that_predicts(tmp_path, made_up_data, sheet, capsys):
    out = tmp_path / "mlp.safetensors"
    arguments = ["train", "--network", "mlp", "--data", str(made_up_data), "--out", str(out)]
    arguments += ["--teacher", "cnn-people"]  # which the validation images were held out from
    assert main([*arguments, "--epochs", "1", "--device", "cpu", "--seed", "3"]) == 0
    _, card = checkpoint.load(out, device="cpu")
    scores = card["accuracy"]
    printed = [f"{name} accuracy {scores[name]:.2%}" for name in ("test", "validation")]
    assert capsys.readouterr().out == f"{out}: {', '.join(printed)}\n"
    assert (card["architecture"], card["epochs"], card["seed"]) == ("mlp", 1, 3)
    sheet[0][0].save(tmp_path / "garment.png")
    assert main(["predict", "--network", str(out), str(tmp_path / "garment.png")]) == 0


def test_train_hands_its_options_over(tmp_path, monkeypatch, capsys):
    asked = {}

    def make(network, **options):
        asked.update(options, network=network)
        return checkpoint.resolve("finder")

    monkeypatch.setattr(recipes, "make", make)
    assert main(["train", "--network", "finder", "--real", str(tmp_path), "--data", "d"]) == 0
    accuracy = checkpoint.load("finder", "cpu")[1]["accuracy"]
    said = ", ".join(f"{name} accuracy {share:.2%}" for name, share in accuracy.items())
    assert capsys.readouterr().out == f"{checkpoint.resolve('finder')}: {said}\n"
    assert asked == {
        "network": "finder",
        "real": str(tmp_path),
        "root": "d",
        "epochs": None,
        "start": None,
        "teachers": [],
        "views": None,
        "clean_by_labels": False,
        "whole": False,
        "seed": 0,
        "out": None,
        "device": None,
    }


def test_train_with_real_pictures_that_are_not_there(tmp_path, made_up_data, capsys):
    arguments = ["train", "--data", str(made_up_data), "--real", str(tmp_path / "none")]
    assert main(arguments) == 1
    assert capsys.readouterr().err.startswith(f"error: cannot read {tmp_path / 'none'}")


def test_the_finder_needs_real_pictures(made_up_data, capsys):
    assert main(["train", "--data", str(made_up_data), "--network", "finder"]) == 1
    assert "name their folder with --real" in capsys.readouterr().err


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


def test_blend_hands_its_options_over(tmp_path, monkeypatch, capsys):
    asked = {}

    def blend(first, second, share, **options):
        asked.update(options, of=(first, second, share))
        return checkpoint.resolve("mlp")

    monkeypatch.setattr(finishing, "blend", blend)
    assert main(["blend", "a", "b", "--share", "0.2", "--real", "r", "--out", "o"]) == 0
    assert asked == {"of": ("a", "b", 0.2), "root": None, "real": "r", "out": Path("o")}
    assert "test accuracy 9" in capsys.readouterr().out


def test_couple_and_calibrate_hand_their_options_over(tmp_path, monkeypatch, capsys):
    asked = {}

    def couple(networks, **options):
        asked.update(options, of=networks)
        return checkpoint.resolve("mlp")

    def calibrate(network, **options):
        asked.update(options, of=network)
        return checkpoint.resolve("mlp")

    monkeypatch.setattr(finishing, "couple", couple)
    monkeypatch.setattr(finishing, "calibrate", calibrate)
    assert main(["couple", "a", "b", "--data", "d", "--out", "o"]) == 0
    assert asked == {"of": ["a", "b"], "root": "d", "real": None, "out": Path("o")}
    assert "test accuracy 9" in capsys.readouterr().out
    options = {"root": None, "real": None, "like": "l", "closers": None, "out": None}
    assert main(["calibrate", "--network", "c", "--like", "l"]) == 0
    assert asked == {"of": "c"} | options
    assert main(["calibrate", "--network", "c", "--closer", "k"]) == 0
    assert asked == {"of": "c"} | options | {"like": None, "closers": ["k"]}
    assert '"temperature": {"dataset"' in capsys.readouterr().out
