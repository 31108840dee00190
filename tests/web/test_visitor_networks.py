"""Visitors' networks: the queue of trainings, who may see what, and when it is forgotten."""

import base64
import json
import threading
import time
from contextlib import suppress
from queue import SimpleQueue

import pytest
import torch
from safetensors.torch import save

import fashion_model
from data.pictures import png, shirt
from fashion_model import CLASSES, InputError, tutorial
from fashion_model.networks import NeuralNetwork
from fashion_model.visualization import data_url
from fashion_model.web import training_process, visitor_networks
from fashion_model.web.serialization import server_function
from fashion_model.web.visitor_networks import UNTRAINED, VisitorNetworks

META = {"_type": "gradio.FileData"}
FIRST = {"epoch": 0, "step": 0, "steps": 9, "loss": 2.3, "accuracy": 0.1, "ended": False}
LAST = {"epoch": 3, "step": 9, "steps": 9, "loss": 0.5, "accuracy": 0.8, "ended": True}


class Process:
    """A training whose points a test gives, one after the other; None ends it."""

    def __init__(self, options):
        self.options, self.given = options, SimpleQueue()

    def say(self, point, seed=1):
        self.given.put(tutorial.Progress(**point, network=network_of(seed)))

    def fail(self, error):
        self.given.put(error)

    def break_off(self):
        self.given.put(None)

    def points(self):
        while (point := self.given.get(timeout=10)) is not None:
            if isinstance(point, Exception):
                raise point
            yield point
            if point.ended:
                return


@pytest.fixture
def processes(monkeypatch):
    """The trainings that were started, in order."""
    started = []

    def train(options):
        started.append(Process(options))
        yield from started[-1].points()

    monkeypatch.setattr(training_process, "train", train)
    return started


@pytest.fixture
def open_door(processes, monkeypatch):
    """Makes VisitorNetworks, and ends in the end what still trains or waits."""
    made = []

    def make(at_a_time):
        monkeypatch.setattr(visitor_networks, "AT_A_TIME", at_a_time)
        made.append(VisitorNetworks())
        return made[-1]

    yield make
    for each in made:
        for entry in each._entries.values():
            entry.stop()
    for each in made:
        each._threads.shutdown(wait=False)
    while any(thread.is_alive() for each in made for thread in each._threads._threads):
        for process in processes:
            process.break_off()
        time.sleep(0.01)


@pytest.fixture
def visitors(open_door):
    return open_door(1)


def wait_for(condition):
    give_up = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def begin(visitors, network=None, **options):
    return visitors.start_training({"options": options, "network": network})["network"]


def asked(visitors, name):
    return visitors.ask_training({"network": name})


def state_of(visitors, name):
    return asked(visitors, name)["state"]


def error_of(method, question):
    """The key of the error that the page gets."""
    function = server_function(method)
    reply = function(question)
    assert reply.keys() == {"error"}
    return reply["error"]["key"]


def network_of(seed):
    torch.manual_seed(seed)
    return NeuralNetwork()


def weights(seed=1):
    return network_of(seed).state_dict()


def trained(visitors, processes, seed=1):
    """The name of a network that has been trained."""
    before = len(processes)
    name = begin(visitors)
    wait_for(lambda: len(processes) > before)
    processes[-1].say(LAST, seed)
    wait_for(lambda: state_of(visitors, name) == "trained")
    return name


def test_a_training_from_the_first_point_to_the_last(visitors, processes):
    name = begin(visitors, epochs=3, optimizer="Adam")
    assert len(name) > 20
    wait_for(lambda: processes)
    assert processes[0].options == tutorial.Options(epochs=3, optimizer="Adam")
    report = asked(visitors, name)
    assert (report["state"], report["place"], report["points"]) == ("training", 0, [])
    assert report["options"]["epochs"] == 3
    untrained = visitors.get(UNTRAINED)[0]
    assert visitors.get(name)[0] is untrained  # random answers until there are better ones
    processes[0].say(FIRST, 1)
    wait_for(lambda: asked(visitors, name)["points"] == [FIRST])
    assert torch.equal(visitors.get(name)[0].flatten(torch.ones(1, 2)), torch.ones(1, 2))
    processes[0].say(LAST, 2)
    wait_for(lambda: state_of(visitors, name) == "trained")
    network, card = visitors.get(name)
    assert all(torch.equal(network.state_dict()[key], value) for key, value in weights(2).items())
    assert not network.training
    assert card["architecture"] == "mlp"
    assert card["options"]["optimizer"] == "Adam"
    json.dumps(asked(visitors, name))


def test_others_wait_and_see_their_place(visitors, processes):
    first, second, third = (begin(visitors) for _ in range(3))
    assert [asked(visitors, name)["place"] for name in (first, second, third)] == [0, 1, 2]
    assert state_of(visitors, second) == "waiting"
    wait_for(lambda: processes)
    processes[0].say(LAST)
    wait_for(lambda: len(processes) == 2)
    assert [asked(visitors, name)["place"] for name in (second, third)] == [0, 1]
    assert visitors.stop_training({"network": third})["state"] == "stopped"
    processes[1].say(LAST)
    visitors._threads.shutdown()  # nobody waits: nothing goes on
    assert len(processes) == 2


def test_two_train_at_a_time_where_that_is_allowed(open_door, processes):
    visitors = open_door(2)
    names = [begin(visitors) for _ in range(3)]
    wait_for(lambda: len(processes) == 2)
    assert [asked(visitors, name)["place"] for name in names] == [0, 0, 1]
    for process in processes:
        process.say(LAST)
    wait_for(lambda: len(processes) == 3)


def test_too_many_may_not_wait(visitors, monkeypatch):
    monkeypatch.setattr(visitor_networks, "MAX_WAITING", 2)
    names = [begin(visitors) for _ in range(3)]
    question = {"options": {}, "network": names[0]}
    assert error_of(visitors.start_training, question) == "many train"
    assert state_of(visitors, names[0]) == "training"  # and loses nothing by asking


def test_who_has_gone_away_keeps_nobody_waiting(visitors, processes, monkeypatch):
    first, gone, last = (begin(visitors) for _ in range(3))
    visitors._entries[gone].polled -= visitor_networks.POLL_SECONDS + 1
    wait_for(lambda: processes)
    processes[0].say(LAST)
    wait_for(lambda: state_of(visitors, last) == "training")
    assert state_of(visitors, gone) == "stopped"
    assert state_of(visitors, first) == "trained"


def test_a_stopped_training_leaves_what_was_learned_so_far(visitors, processes):
    name = begin(visitors)
    wait_for(lambda: processes)
    processes[0].say(FIRST, 3)
    wait_for(lambda: asked(visitors, name)["points"])
    assert visitors.stop_training({"network": name})["state"] == "stopped"
    processes[0].say(LAST, 4)
    visitors._threads.shutdown()
    assert state_of(visitors, name) == "stopped"
    found = visitors.get(name)[0].state_dict()
    assert all(torch.equal(found[key], value) for key, value in weights(3).items())


def test_a_training_that_breaks_off_or_says_why(visitors, processes):
    name = begin(visitors)
    wait_for(lambda: processes)
    processes[0].break_off()
    wait_for(lambda: state_of(visitors, name) == "failed")
    assert asked(visitors, name)["failure"] is None
    name = begin(visitors, name)
    wait_for(lambda: len(processes) == 2)
    processes[1].fail(InputError("the loss ...", key="diverged"))
    wait_for(lambda: state_of(visitors, name) == "failed")
    wrong = {"text": "The loss ...", "key": "diverged", "values": {}}
    assert asked(visitors, name)["failure"] == wrong


def test_a_process_that_cannot_start_keeps_nobody_waiting(visitors, monkeypatch, caplog):
    def fail(_options):
        raise OSError("no memory")

    monkeypatch.setattr(training_process, "train", fail)
    first, second = begin(visitors), begin(visitors)
    visitors._threads.shutdown()
    assert (state_of(visitors, first), state_of(visitors, second)) == ("failed", "failed")
    assert "no memory" in caplog.text


def test_a_new_training_takes_the_place_of_the_earlier_one(visitors, processes):
    first = begin(visitors)
    wait_for(lambda: processes)
    second = begin(visitors, first)
    assert error_of(visitors.ask_training, {"network": first}) == "forgotten network"
    processes[0].say(FIRST)  # it ends at its next point
    wait_for(lambda: len(processes) == 2)
    assert state_of(visitors, second) == "training"


@pytest.mark.parametrize("options", [{"epochs": 0}, {"optimizer": "Lion"}])
def test_wrong_options_are_told_by_their_key(visitors, options):
    with pytest.raises(InputError) as caught:
        visitors.start_training({"options": options})
    assert caught.value.key == "training options"
    assert caught.value.values["epochs"] == 100


def test_what_is_no_question_is_told(visitors):
    for question in (None, "x", 5, []):
        assert error_of(visitors.upload_network, question) == "upload"
        for ask in (visitors.ask_training, visitors.stop_training):
            assert error_of(ask, question) == "forgotten network"
    for name in (None, "x", 5, "yours-", ["yours-"]):
        for ask in (visitors.ask_training, visitors.stop_training, visitors.download_network):
            assert error_of(ask, {"network": name}) == "forgotten network"


def test_an_hour_later_it_is_forgotten(visitors, processes, monkeypatch):
    name = trained(visitors, processes)
    visitors._entries[name].since -= visitor_networks.KEEP_SECONDS - 60
    assert visitors.get(name)
    visitors._entries[name].since -= 120
    with pytest.raises(InputError, match="Train it again, or bring back") as caught:
        visitors.get(name)
    assert caught.value.key == "forgotten network"
    assert not visitors._entries


def test_too_many_networks_drop_the_oldest(visitors, processes, monkeypatch):
    monkeypatch.setattr(visitor_networks, "MAX_NETWORKS", 3)
    names = [trained(visitors, processes) for _ in range(5)]
    assert list(visitors._entries) == names[2:]


def test_one_name_is_not_guessed_from_another(visitors):
    first, second = begin(visitors), begin(visitors)
    assert first[:12] != second[:12]
    assert VisitorNetworks.is_name(first)
    assert VisitorNetworks.is_name(UNTRAINED)
    for name in ("cnn", "mlp", None, 5):
        assert not VisitorNetworks.is_name(name)


# What is taken along and brought back


def upload(uploads, content, name="mine.safetensors"):
    folder = uploads / ("0" * 32)
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return {"path": str(folder / name), "meta": META}


def test_what_is_taken_along_answers_the_same_in_python(visitors, processes, tmp_path, panels):
    panels.inference.visitors = visitors
    name = trained(visitors, processes, seed=5)
    file = base64.b64decode(visitors.download_network({"network": name})["file"])
    (tmp_path / "my-network.safetensors").write_bytes(file)
    loaded = fashion_model.load(tmp_path / "my-network.safetensors", device="cpu")
    for kind in ("drawing", "photo"):
        picture = png(shirt(ink="navy", paper="beige"))
        ours = fashion_model.load(device="cpu")
        panels.inference.classifiers["cnn"].detectors = ours.detectors
        here = panels.inference.get(name).predict(picture, kind)
        there = loaded.predict(picture, kind)
        assert list(here) == list(there)
        assert here == pytest.approx(there, abs=1e-6)


def test_what_is_brought_back_is_the_same_network(visitors, processes, uploads):
    name = trained(visitors, processes, seed=6)
    content = base64.b64decode(visitors.download_network({"network": name})["file"])
    report = visitors.upload_network({"file": upload(uploads, content), "network": name})
    assert (report["state"], report["points"]) == ("brought", [])
    found = visitors.get(report["network"])[0].state_dict()
    assert all(torch.equal(found[key], value) for key, value in weights(6).items())
    assert not list(uploads.rglob("*.safetensors"))  # the upload is gone at once
    assert error_of(visitors.ask_training, {"network": name}) == "forgotten network"
    plain = upload(uploads, save(weights(7)))  # as save_file(model.state_dict()) writes it
    report = visitors.upload_network({"file": plain})
    assert torch.equal(
        visitors.get(report["network"])[0].linear_relu_stack[0].bias,
        weights(7)["linear_relu_stack.0.bias"],
    )


def test_what_is_no_network_is_refused_and_deleted(visitors, uploads, tmp_path):
    for content in (b"", b"text", save({"weight": torch.zeros(2)}), bytes(5 * 1024**2)):
        with pytest.raises(InputError) as caught:
            visitors.upload_network({"file": upload(uploads, content)})
        assert caught.value.key == "no tutorial network"
        assert str(uploads) not in str(caught.value)
        assert not list(uploads.rglob("*.safetensors"))


def test_no_other_file_of_the_server_is_read(visitors, uploads, tmp_path):
    secret = tmp_path / "secret.safetensors"
    secret.write_bytes(save(weights()))
    for file in (None, "x", str(secret), {"path": str(secret), "meta": META}, {"path": 5}):
        assert error_of(visitors.upload_network, {"file": file}) == "upload"
    assert secret.exists()


# As one of the networks


@pytest.fixture
def mine(panels, visitors, processes):
    panels.inference.visitors = visitors
    return trained(visitors, processes, seed=8)


def test_it_answers_is_opened_and_is_compared(panels, mine):
    question = {"image": data_url(shirt(), format="PNG"), "network": mine, "kind": "drawing"}
    drawn = panels.read_picture(question)
    assert sorted(label for label, _ in drawn["confidences"]) == sorted(CLASSES)
    other = panels.read_picture({**question, "network": UNTRAINED})
    assert other["confidences"] != drawn["confidences"]
    steps = panels.ask_inside(question)
    assert steps["temperature"] == 1
    assert "maps" in panels.ask_maps({**question, "labels": ["Bag"]})
    assert len(panels.ask_similar(question)["similar"]) == 5
    networks = panels.ask_compare({**question, "yours": mine})["networks"]
    assert [each["network"] for each in networks] == ["cnn", "yours"]
    assert list(networks[1]["confidences"].items()) == drawn["confidences"]
    (only,) = panels.ask_compare(question)["networks"]  # nobody else sees it
    assert only["network"] == "cnn"
    (about,) = panels.ask_card({"network": mine})["networks"]
    assert about["kinds"] == ["dataset", "drawing", "photo"]
    assert about["card"]["options"]["optimizer"] == "SGD"


def test_scripts_may_name_it(panels, mine):
    found = panels.inference.predict(mine, png(shirt()), "drawing")
    assert found == panels.inference.get(mine).predict(shirt(), "drawing")
    with pytest.raises(InputError) as caught:
        panels.inference.predict("yours-x", png(shirt()), "drawing")
    assert caught.value.key == "forgotten network"


def test_a_forgotten_one_is_told_by_its_key(panels, mine):
    question = {"image": data_url(shirt(), format="PNG"), "network": mine, "kind": "drawing"}
    panels.inference.visitors._entries.clear()
    for ask in (panels.read_picture, panels.ask_inside, panels.ask_card):
        assert error_of(ask, question) == "forgotten network"


def test_replicas_are_not_asked_about_it(panels, mine):
    asked = []
    panels.inference.remote = lambda *question: asked.append(question) or []
    panels.inference.predict(mine, png(shirt()), "drawing")
    panels.inference.classify(UNTRAINED, png(shirt()), "drawing")
    assert asked == []
    panels.inference.predict("cnn", png(shirt()), "drawing")
    panels.inference.classify("cnn", png(shirt()), "drawing")
    assert len(asked) == 2


def test_many_at_once_lose_nothing(visitors, processes, monkeypatch):
    """Starts and stops from several threads leave nothing at work and nobody in the queue."""

    def visit():
        name = None
        for _ in range(20):
            with suppress(InputError):  # too many are waiting
                name = begin(visitors, name)
                visitors.stop_training({"network": name})

    threads = [threading.Thread(target=visit) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    visitors._threads.shutdown(wait=False)
    while any(thread.is_alive() for thread in visitors._threads._threads):
        for process in processes:
            process.break_off()
    assert {entry.state for entry in visitors._entries.values()} == {"stopped"}
