"""JAX and optax, for `lehr compare`: the trial's rate is an optax schedule.

The trial's optimizer is a name here, and this script says what it means in optax:

    lehr compare --train examples/own_script/with_optax.py:train --optimizers adamw,momentum
"""

from functools import partial

import jax
import numpy as np
import optax
from sklearn.datasets import load_digits

from lehr.lab import RunningTrial, current_trial

OPTIMIZERS = {"adamw": optax.adamw, "momentum": partial(optax.sgd, momentum=0.9)}


def loss_of(weights, images, digits):
    hidden = jax.nn.relu(images @ weights["in"])
    scores = hidden @ weights["out"]
    return optax.softmax_cross_entropy_with_integer_labels(scores, digits).mean()


def train(trial: RunningTrial):
    images, digits = load_digits(return_X_y=True)
    images = (images / 16).astype("float32")
    first, second = jax.random.split(jax.random.key(trial.seed))
    weights = {
        "in": jax.random.normal(first, (64, 32)) / 8,
        "out": jax.random.normal(second, (32, 10)) / 8,
    }
    optimizer = OPTIMIZERS[trial.optimizer](learning_rate=trial.rate)
    state = optimizer.init(weights)

    @jax.jit
    def update_of(weights, state, images, digits):
        loss, gradient = jax.value_and_grad(loss_of)(weights, images, digits)
        change, state = optimizer.update(gradient, state, weights)
        return optax.apply_updates(weights, change), state, loss

    batches = np.random.default_rng(trial.seed)
    for step in range(1, trial.steps + 1):
        batch = batches.integers(1200, size=32)
        weights, state, loss = update_of(weights, state, images[batch], digits[batch])
        trial.report(step, loss=float(loss))

    parts = [slice(1200, 1500), slice(1500, None)]
    validation, test = (float(loss_of(weights, images[part], digits[part])) for part in parts)
    return {"validation": {"loss": validation}, "test": {"loss": test}}


if __name__ == "__main__":  # for --command
    trial = current_trial()
    trial.finish(train(trial))
