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
from ray import serve
from ray.exceptions import RayActorError

from fashion_model import Classifier
from fashion_model.web.elsewhere import Ask, Elsewhere, Question, Reader, Told

TRIES = 2  # a replica may die under a picture, once
MOST_IN_ONE = 2  # pictures under way in one replica: one that computes, one that is on its way
NAME = "fashion"


def asking(handle: Any) -> Ask:
    """What asks whichever replica behind handle is free."""

    def ask(question: Question) -> Told:
        for left in reversed(range(TRIES)):
            try:
                told: Told = handle.remote(question).result()
            except RayActorError:
                if not left:
                    raise
            else:
                break
        return told

    return ask


def spread(classifiers: dict[str, Classifier], count: int) -> dict[str, Classifier]:
    """classifiers, read by count replicas; it returns when all of them are up."""
    top = str(Path(__file__).resolve().parents[2])  # where a replica finds these modules
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
    ask = asking(handle)
    return {name: Elsewhere(name, each, ask) for name, each in classifiers.items()}


def stop() -> None:
    """End the replicas, and Ray where it was started here; a cluster's other apps go on."""
    if "RAY_ADDRESS" in os.environ:
        serve.delete(NAME)
    else:
        serve.shutdown()
    ray.shutdown()
