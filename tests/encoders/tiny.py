"""A four-channel encoder that counts the images it sees; run as a script it encodes slowly, to be killed."""

import sys
import time
from pathlib import Path

import torch

from manylabel.encoders import Encoder, store
from manylabel.encoders.cache import encode
from manylabel.encoders.grids import from_map

SEEN: list[int] = []
PAUSE = [0.0]


class Network(torch.nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.convolution = torch.nn.Conv2d(3, 4, 8, 8)
        with torch.no_grad():
            count = self.convolution.weight.numel()
            self.convolution.weight.copy_(factor * torch.linspace(-1, 1, count).view(4, 3, 8, 8))
            self.convolution.bias.zero_()

    def forward(self, images):
        SEEN.append(len(images))
        time.sleep(PAUSE[0])
        return from_map(self.convolution(images))


def tiny(factor=1.0, image_size=16):
    half = (0.5, 0.5, 0.5)
    return Encoder(Network(factor), "tiny", width=4, image_size=image_size, statistics=(half, half)).eval()


if __name__ == "__main__":
    PAUSE[0], store.ROWS_PER_SYNC = 0.05, 2
    encode(sorted(Path(sys.argv[1]).glob("*.png")), tiny(), folder=sys.argv[2], batch_size=1, progress=False)
