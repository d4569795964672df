"""Saves the golden language model as the official code does: PyTorch 2.15, `python make_official.py` in this folder.

official.bin           a flat dictionary of views, with offsets, of two shared storages (pytorch_model.bin)
official_deepspeed.pt  the same in fp16 under the key `module`, beside what DeepSpeed saves with it (mp_rank_00_model_states.pt)
"""
import json
import random
import struct
from argparse import Namespace
from collections import OrderedDict

import numpy
import torch


def golden(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    for name, info in header.items():
        if name.startswith("w0."):
            start, end = info["data_offsets"]
            yield name[3:], torch.frombuffer(bytearray(data[start:end]), dtype=torch.float32).view(info["shape"])


def official_name(name, blocks=2):
    if name.startswith("word_embeddings."):
        return "sequential.0." + name
    if name.startswith("norm."):
        return f"sequential.{blocks + 3}." + name
    _, block, rest = name.split(".", 2)
    return f"sequential.{int(block) + 2}." + rest


weights = {official_name(name): tensor for name, tensor in golden("lm_l2_norm_gelu_f32.safetensors")}
names = sorted(weights)
shared = [torch.cat([weights[name].flatten() for name in names[half::2]]) for half in range(2)]
views = OrderedDict()
used = [0, 0]
for i, name in enumerate(names):
    shape = weights[name].shape
    views[name] = shared[i % 2][used[i % 2]:][: shape.numel()].view(shape)
    used[i % 2] += shape.numel()
torch.save(views, "official.bin")

torch.manual_seed(0)
random.seed(0)
states = {
    "module": OrderedDict((name, view.half()) for name, view in views.items()),
    "buffer_names": [],
    "optimizer": None,
    "param_shapes": [OrderedDict((name, view.shape) for name, view in views.items())],
    "args": Namespace(num_layers=2, lr=6e-4),
    "random_rng_state": random.getstate(),
    "np_rng_state": numpy.random.RandomState(0).get_state(),
    "torch_rng_state": torch.get_rng_state(),
    "global_steps": 3,
    "seed": 2**70,
}
torch.save(states, "official_deepspeed.pt")
