"""FSDP2 (fully_shard) on two processes, with a sharded checkpoint.

Trains a small network on handwritten digits and prints the rate and the loss of every update of
every process. Interrupted and resumed, it continues as if nothing had happened:

    python examples/trainers/train_fsdp2.py --out run --stop-after 20
    python examples/trainers/train_fsdp2.py --out run
"""

import argparse
import gc
import os
import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from sklearn.datasets import load_digits
from torch import nn
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.multiprocessing.spawn import spawn

import lehr
from lehr.interop.checkpoint import Whole
from lehr.torch import Scheduler

SCHEDULE = lehr.warmup("10%") >> lehr.hold() >> lehr.cosine("40%", to=0.1)
UPDATES = 40
PROCESSES = 2


def work(rank: int, rendezvous: str, out: Path, stop_after: int) -> None:
    # Two processes of one machine: over the loopback, and found through a file rather than a port.
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=PROCESSES
    )
    # In a function, because what it builds must be gone before the group is, or torch may hang.
    train(rank, out, stop_after)
    # Reference cycles, such as those of a wrapped model, are freed only here.
    gc.collect()
    dist.barrier()
    dist.destroy_process_group()


def train(rank: int, out: Path, stop_after: int) -> None:
    images, digits = (torch.tensor(part) for part in load_digits(return_X_y=True))
    images = images.float() / 16  # pixels from 0 to 1

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    fully_shard(model, mesh=init_device_mesh("cpu", (PROCESSES,)))
    # Sharding replaces the parameters: the optimizer is built after it, the scheduler after both.
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    # However many processes there are, an update is one update: `over` does not change.
    scheduler = Scheduler(optimizer, lr=SCHEDULE, over=UPDATES)

    # A checkpoint that was not finished, whatever stopped it, has no metadata yet.
    finished = sorted(out.glob("update-*/.metadata"))
    if finished:
        weights, moments = get_state_dict(model, optimizer)
        state = {"model": weights, "optimizer": moments, "scheduler": Whole(scheduler)}
        dcp.load(state, checkpoint_id=finished[-1].parent)
        set_state_dict(model, optimizer, model_state_dict=weights, optim_state_dict=moments)

    while scheduler.last_epoch < stop_after:
        update = scheduler.last_epoch
        draw = torch.Generator().manual_seed(update * PROCESSES + rank)
        batch = torch.randint(len(images), (32,), generator=draw)
        loss = nn.functional.cross_entropy(model(images[batch]), digits[batch])
        optimizer.zero_grad()
        loss.backward()
        rate = scheduler.get_last_lr()[0]
        optimizer.step()
        scheduler.step()
        shown: list[str] = [""] * PROCESSES
        dist.all_gather_object(shown, f"update {update}  rate {rate!r}  loss {loss.item()!r}")
        if rank == 0:
            print("\n".join(f"rank {number}  {line}" for number, line in enumerate(shown)))

    weights, moments = get_state_dict(model, optimizer)
    state = {"model": weights, "optimizer": moments, "scheduler": Whole(scheduler)}
    dcp.save(state, checkpoint_id=out / f"update-{scheduler.last_epoch:06d}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="where checkpoints are kept")
    parser.add_argument("--stop-after", type=int, default=UPDATES, help="save and stop early")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rendezvous = f"{folder}/rendezvous"
        spawn(work, (rendezvous, arguments.out, arguments.stop_after), nprocs=PROCESSES)


if __name__ == "__main__":
    main()
