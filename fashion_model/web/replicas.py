"""More processes that predict, on this machine or on several, by Ray Serve.

The page and the queue stay in one process, for Gradio keeps a call's events where it was made;
pictures go to whichever replica is free. FASHION_REPLICAS=2 python app.py starts two, here, or on
the cluster that RAY_ADDRESS names. Needs replicas.txt.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would call home

import ray
import torch
from ray import serve
from ray.exceptions import RayActorError

from fashion_model import InputError
from fashion_model.web.inference import Inference, Remote

TRIES = 2  # a replica may die under a picture, once
MAX_ONGOING = 2  # pictures in one replica: one that computes, one that is on its way
NAME = "fashion"


class Replica:
    """Another process's networks."""

    def __init__(self, names: Sequence[str]) -> None:
        torch.set_num_threads(1)
        self.inference = Inference(names)

    def __call__(self, method: str, network: str, arguments: tuple[Any, ...]) -> Any:
        """What a method of Inference returns, or its InputError."""
        try:
            return getattr(self.inference, method)(network, *arguments)
        except InputError as error:
            return error


def call_replica(handle: Any, method: str, network: str, arguments: tuple[Any, ...]) -> Any:
    """What whichever replica behind handle is free returns. Raises its InputError."""
    for left in reversed(range(TRIES)):
        try:
            result = handle.remote(method, network, arguments).result()
        except RayActorError:
            if not left:
                raise
        else:
            break
    if isinstance(result, InputError):
        raise result
    return result


def start(names: Sequence[str], count: int) -> Remote:
    """count replicas that have the networks of these names; it returns when all are up."""
    top = str(Path(__file__).resolve().parents[2])  # where a replica finds these modules
    path = os.pathsep.join([top, *(part for part in sys.path if part)])
    ray.init(
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": path}},
    )
    serve.start(proxy_location="Disabled")
    deployment = serve.deployment(
        Replica,
        num_replicas=count,
        max_ongoing_requests=MAX_ONGOING,
        ray_actor_options={"num_cpus": 0},  # as many as are asked for, however few cores there are
    )
    handle = serve.run(deployment.bind(list(names)), name=NAME, route_prefix=None)
    return lambda *question: call_replica(handle, *question)


def stop() -> None:
    """End the replicas, and Ray where it was started here; a cluster's other apps go on."""
    if "RAY_ADDRESS" in os.environ:
        serve.delete(NAME)
    else:
        serve.shutdown()
    ray.shutdown()
