"""More processes that predict, by Ray Serve, here or on the cluster that RAY_ADDRESS names.

The page and the queue stay in one process, for Gradio keeps a call's events where it was made.
"""

import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would call home

import ray
import torch
from ray import serve
from ray.exceptions import RayActorError

from fashion_model import InputError
from fashion_model.web.panels import Inference, Remote

MAX_ONGOING = 2  # pictures in one replica: one that computes, one that is on its way
NAME = "fashion"


class Replica:
    """Another process's networks."""

    def __init__(self, names: Sequence[str]) -> None:
        torch.set_num_threads(1)
        self.inference = Inference(names)

    def __call__(self, method: str, *arguments: Any) -> Any:
        """What a method of Inference returns, or its InputError."""
        try:
            return getattr(self.inference, method)(*arguments)
        except InputError as error:
            return error


def call_replica(handle: Any, *question: Any) -> Any:
    """What whichever replica behind handle is free returns. Raises its InputError."""
    try:
        result = handle.remote(*question).result()
    except RayActorError:  # it died under the picture
        result = handle.remote(*question).result()
    if isinstance(result, InputError):
        raise result
    return result


def start(names: Sequence[str], count: int) -> Remote:
    """count replicas that have the networks of these names; it returns when all are up."""
    top = str(Path(__file__).resolve().parents[2])  # where a replica finds these modules
    path = os.pathsep.join([top, *(part for part in sys.path if part)])
    environment = {"env_vars": {"PYTHONPATH": path}}
    ray.init(include_dashboard=False, log_to_driver=False, runtime_env=environment)
    serve.start(proxy_location="Disabled")
    deployment = serve.deployment(
        Replica,
        num_replicas=count,
        max_ongoing_requests=MAX_ONGOING,
        ray_actor_options={"num_cpus": 0},  # as many as are asked for, however few cores there are
    )
    handle = serve.run(deployment.bind(list(names)), name=NAME, route_prefix=None)
    return partial(call_replica, handle)


def stop() -> None:
    """End the replicas, and Ray where it was started here; a cluster's other apps go on."""
    if "RAY_ADDRESS" in os.environ:
        serve.delete(NAME)
    else:
        serve.shutdown()
    ray.shutdown()
