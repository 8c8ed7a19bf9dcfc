"""optax: a lehr schedule is an optax schedule, and is compiled with the update.

Trains a small network on handwritten digits and prints the rate and the loss of every update.
Interrupted and resumed, it continues as if nothing had happened:

    python examples/trainers/train_optax.py --out run --stop-after 20
    python examples/trainers/train_optax.py --out run
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits

import lehr

SHAPE = lehr.warmup("10%") >> lehr.hold() >> lehr.cosine("40%", to=0.1)
UPDATES = 40
# optax schedules are rates, not factors.
RATE = 1e-2 * SHAPE.over(UPDATES)

optimizer = optax.adamw(learning_rate=RATE)


def loss_of(weights, images, digits):
    hidden = jax.nn.relu(images @ weights["in"])
    scores = hidden @ weights["out"]
    return optax.softmax_cross_entropy_with_integer_labels(scores, digits).mean()


@jax.jit
def update_of(weights, state, images, digits):
    loss, gradient = jax.value_and_grad(loss_of)(weights, images, digits)
    change, state = optimizer.update(gradient, state, weights)
    return optax.apply_updates(weights, change), state, loss


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="where the checkpoint is kept")
    parser.add_argument("--stop-after", type=int, default=UPDATES, help="save and stop early")
    arguments = parser.parse_args()

    images, digits = load_digits(return_X_y=True)
    images = (images / 16).astype("float32")  # pixels from 0 to 1

    first, second = jax.random.split(jax.random.key(0))
    weights = {
        "in": jax.random.normal(first, (64, 32)) / 8,
        "out": jax.random.normal(second, (32, 10)) / 8,
    }
    state = optimizer.init(weights)

    checkpoint = arguments.out / "checkpoint.npz"
    if checkpoint.exists():
        # The number of updates made is in the optimizer's state: nothing else needs saving.
        leaves, form = jax.tree.flatten((weights, state))
        with np.load(checkpoint) as saved:
            leaves = [jnp.asarray(saved[f"leaf_{number}"]) for number in range(len(leaves))]
        weights, state = jax.tree.unflatten(form, leaves)

    for update in range(int(state[-1].count), arguments.stop_after):
        # Seeded by its number, so that a resumed run sees the same batches.
        batch = np.random.default_rng(update).integers(len(images), size=32)
        weights, state, loss = update_of(weights, state, images[batch], digits[batch])
        print(f"update {update}  rate {RATE(update)!r}  loss {float(loss)!r}")

    arguments.out.mkdir(parents=True, exist_ok=True)
    leaves = jax.tree.leaves((weights, state))
    arrays = {f"leaf_{number}": np.asarray(leaf) for number, leaf in enumerate(leaves)}
    np.savez(checkpoint, allow_pickle=False, **arrays)


if __name__ == "__main__":
    main()
