"""The transformers Trainer, for `lehr compare`: a small language model on Python's own source.

The Trainer takes the trial's optimizer and scheduler as `optimizers=`:

    lehr compare --train examples/own_script/with_transformers.py:train --steps 100
"""

import argparse
import inspect

import torch
import transformers
from transformers.trainer_utils import get_last_checkpoint

from lehr.lab import RunningTrial, current_trial

LENGTH = 64


class Reported(transformers.TrainerCallback):
    """Hand the Trainer's training losses to the trial."""

    def __init__(self, trial: RunningTrial) -> None:
        self.trial = trial

    def on_log(self, args, state, control, logs, **kwargs):
        if "loss" in logs:
            self.trial.report(state.global_step, loss=logs["loss"])


def train(trial: RunningTrial):
    text = torch.tensor(list(inspect.getsource(argparse).encode()))
    pieces = text[: len(text) // LENGTH * LENGTH].view(-1, LENGTH)
    data = [{"input_ids": piece, "labels": piece} for piece in pieces]
    held_out = len(data) // 10
    transformers.set_seed(trial.seed)
    model = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=256, n_positions=LENGTH, n_embd=32, n_layer=1, n_head=2,
            bos_token_id=0, eos_token_id=0,
        )
    )  # fmt: skip
    optimizer = trial.optimizer_for(model.parameters())
    trainer = transformers.Trainer(
        model,
        transformers.TrainingArguments(
            output_dir=str(trial.folder),
            seed=trial.seed,
            max_steps=trial.steps,
            per_device_train_batch_size=8,
            logging_steps=max(1, trial.steps // 20),
            save_steps=50,
            save_total_limit=1,
            report_to="none",
            use_cpu=True,
            disable_tqdm=True,
        ),
        train_dataset=data[: -2 * held_out],
        optimizers=(optimizer, trial.scheduler_for(optimizer)),
        callbacks=[Reported(trial)],
    )
    # A trial that was killed continues at its last checkpoint.
    last = get_last_checkpoint(str(trial.folder)) if trial.resumed else None
    trainer.train(resume_from_checkpoint=last)
    validation, test = (
        trainer.evaluate(part)["eval_loss"]
        for part in (data[-2 * held_out : -held_out], data[-held_out:])
    )
    return {"validation": {"loss": validation}, "test": {"loss": test}}


if __name__ == "__main__":  # for --command
    trial = current_trial()
    trial.finish(train(trial))
