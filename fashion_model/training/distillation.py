"""A network taught by a stronger one: by what that says of many views of each picture.

Teacher and student see the same views, over many epochs ("a patient and consistent teacher",
Beyer et al. 2022, arXiv 2106.05237). The views are made, and the teacher asked, once: the student
is so much the faster of the two that asking anew would take most of the time.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from fashion_model.networks import CLASSES
from fashion_model.training.augment import shift_and_flip

BATCH = 512


@dataclass(frozen=True)
class Views:
    """copies views of each of some pictures, those of the first copy first.

    pixels: uint8 (copies * N, 28, 28). logits: float16 (copies * N, 10), what the teacher says.
    """

    pixels: torch.Tensor
    logits: torch.Tensor
    copies: int

    def sample(
        self, index: torch.Tensor, generator: torch.Generator, jitter: int = 0
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """A view of each picture in index (n,): float32 (n, 1, 28, 28), and the teacher's logits.

        Half of them in mirror image, and all moved by up to jitter whole pixels, of which the
        teacher is taken to say the same.
        """
        size, device = len(index), index.device
        copy = torch.randint(self.copies, (size,), generator=generator, device=device)
        row = index + copy * (len(self.pixels) // self.copies)
        # moved as bytes, which takes less than half as long
        x = shift_and_flip(self.pixels[row].unsqueeze(1), generator, jitter)
        return x.float() / 255, self.logits[row].float()


@torch.no_grad()
def make_views(
    pixels: torch.Tensor,
    teacher: nn.Module,
    copies: int,
    change: Callable[[torch.Tensor], torch.Tensor],
    progress: bool = True,
    bfloat16: bool = True,
) -> Views:
    """Views of pixels uint8 (N, 28, 28), changed at random by change, as teacher sees them.

    bfloat16: whether the teacher computes in it, which moves its confidences by some thousandths.
    """
    teacher.eval().to(memory_format=torch.channels_last)
    views = pixels.repeat(copies, 1, 1)
    logits = torch.empty(len(views), len(CLASSES), dtype=torch.float16, device=views.device)
    bar = tqdm(total=len(views), desc="views", disable=not progress, mininterval=5.0)
    # in no order, for change may blend those of a batch, and neighbors are of one photo
    mixed = torch.randperm(len(views), generator=torch.Generator().manual_seed(len(views)))
    for batch in mixed.to(views.device).split(BATCH):
        view = (change(views[batch].unsqueeze(1).float() / 255) * 255).round().byte()
        with torch.autocast(view.device.type, torch.bfloat16, enabled=bfloat16):
            logits[batch] = teacher(view.float() / 255).to(logits.dtype)
        views[batch] = view[:, 0]
        bar.update(len(batch))
    bar.close()
    return Views(views, logits, copies)


def distillation_loss(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of the student's confidences to the teacher's; logits (N, 10) both."""
    return F.cross_entropy(student.float(), F.softmax(teacher, dim=1))
