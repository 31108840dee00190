"""More processes that read pictures, on this machine or on several, by Ray Serve.

The page and the queue stay in one process, for Gradio keeps a call's events where it was made;
pictures go to whichever replica is free. FASHION_REPLICAS=2 python app.py starts two, here, or on
the cluster that RAY_ADDRESS names. Needs replicas.txt.
"""

import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would call home

import ray
import torch
from PIL import Image
from ray import serve
from ray.exceptions import RayActorError

import fashion_model
from fashion_model import Answer, Classifier, InputError
from fashion_model.decoding import Source
from fashion_model.images import Prepared

TRIES = 2  # a replica may die under a picture, once
MOST_IN_ONE = 2  # pictures under way in one replica: one that computes, one that is on its way
NAME = "fashion"


class Reader:
    """One replica: the networks, loaded in a process of their own."""

    def __init__(self, names: list[str]) -> None:
        torch.set_num_threads(1)
        self.classifiers = {name: fashion_model.load(name) for name in names}

    def __call__(self, network: str, method: str, *given: Any) -> Any:
        """What the method of that network's Classifier returns, or the text of its InputError."""
        try:
            return True, getattr(self.classifiers[network], method)(*given)
        except InputError as error:
            return False, str(error)


class Spread(Classifier):
    """A Classifier whose pictures are read by the replicas behind handle; all else is done here."""

    def __init__(self, name: str, here: Classifier, handle: Any) -> None:
        super().__init__(here.network, here.card, here.finder)
        self.name, self.handle = name, handle

    def ask(self, method: str, *given: Any) -> Any:
        for left in reversed(range(TRIES)):
            try:
                well, told = self.handle.remote(self.name, method, *given).result()
            except RayActorError:
                if not left:
                    raise
            else:
                break
        if not well:
            raise InputError(told)
        return told

    def predict(self, image: Source, kind: str = "auto") -> dict[str, float]:
        confidences: dict[str, float] = self.ask("predict", image, kind)
        return confidences

    def answer(
        self, image: Source, kind: str = "auto", point: tuple[float, float] | None = None
    ) -> Answer:
        answer: Answer = self.ask("answer", image, kind, point)
        return answer

    def prepare(
        self, image: Source, kind: str = "auto", point: tuple[float, float] | None = None
    ) -> tuple[Image.Image, Prepared]:
        both: tuple[Image.Image, Prepared] = self.ask("prepare", image, kind, point)
        return both


def spread(classifiers: dict[str, Classifier], count: int) -> dict[str, Classifier]:
    """classifiers, read by count replicas; it returns when all of them are up."""
    top = str(Path(__file__).resolve().parent.parent)  # where a replica finds these modules
    path = os.pathsep.join([top, *(part for part in sys.path if part)])
    ray.init(
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": path}},
    )
    serve.start(proxy_location="Disabled")
    reader = serve.deployment(
        Reader,
        num_replicas=count,
        max_ongoing_requests=MOST_IN_ONE,
        ray_actor_options={"num_cpus": 0},  # as many as are asked for, however few cores there are
    )
    handle = serve.run(reader.bind(list(classifiers)), name=NAME, route_prefix=None)
    return {name: Spread(name, each, handle) for name, each in classifiers.items()}


def stop() -> None:
    """End the replicas, and Ray where it was started here; a cluster's other apps go on."""
    if "RAY_ADDRESS" in os.environ:
        serve.delete(NAME)
    else:
        serve.shutdown()
    ray.shutdown()
