"""The transformers Trainer, driven by lehr.

Trains a small language model on the text of a module of Python's own library, and prints the rate
and the loss of every update. Interrupted and resumed, it continues as if nothing had happened:

    python examples/trainers/train_transformers.py --out run --stop-after 20
    python examples/trainers/train_transformers.py --out run
"""

import argparse
import hashlib
import inspect

import torch
import transformers
from transformers.trainer_utils import get_last_checkpoint

import lehr
from lehr.interop.transformers import Scheduled

SCHEDULE = lehr.warmup("10%") >> lehr.hold() >> lehr.cosine("40%", to=0.1)
UPDATES = 40
LENGTH = 64


class Trainer(Scheduled, transformers.Trainer):
    """The Trainer, with `schedule=`."""


class Report(transformers.TrainerCallback):
    """Print each update, and stop after one of them."""

    def __init__(self, stop_after: int) -> None:
        self.stop_after = stop_after

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step >= self.stop_after:
            control.should_save = control.should_training_stop = True

    def on_log(self, args, state, control, logs, **kwargs):
        if "loss" in logs:
            update, rate, loss = state.global_step - 1, logs["learning_rate"], logs["loss"]
            print(f"update {update}  rate {rate!r}  loss {loss!r}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", required=True, help="where checkpoints are kept")
    parser.add_argument("--stop-after", type=int, default=UPDATES, help="save and stop early")
    arguments = parser.parse_args()

    text = torch.tensor(list(inspect.getsource(argparse).encode()))
    pieces = text[: len(text) // LENGTH * LENGTH].view(-1, LENGTH)
    dataset = [{"input_ids": piece, "labels": piece} for piece in pieces]

    torch.manual_seed(0)
    model = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=256, n_positions=LENGTH, n_embd=32, n_layer=1, n_head=2,
            bos_token_id=0, eos_token_id=0,
        )
    )  # fmt: skip
    trainer = Trainer(
        model,
        transformers.TrainingArguments(
            output_dir=arguments.out,
            max_steps=UPDATES,
            per_device_train_batch_size=8,
            gradient_accumulation_steps=2,  # `max_steps` and the schedule count updates
            learning_rate=3e-3,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            use_cpu=True,
            disable_tqdm=True,
        ),
        train_dataset=dataset,
        schedule=SCHEDULE,
        callbacks=[Report(arguments.stop_after)],
    )
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train(resume_from_checkpoint=get_last_checkpoint(arguments.out))

    weights = b"".join(value.numpy().tobytes() for value in model.state_dict().values())
    print(f"weights {hashlib.sha256(weights).hexdigest()}")


if __name__ == "__main__":
    main()
