"""Keras 3: the schedule is saved with the model.

Trains a small network on handwritten digits and prints the rate and the loss of every update.
Interrupted and resumed, it continues as if nothing had happened (KERAS_BACKEND is jax or torch):

    KERAS_BACKEND=jax python examples/trainers/train_keras.py --out run --stop-after 20
    KERAS_BACKEND=jax python examples/trainers/train_keras.py --out run
"""

import argparse
from pathlib import Path

import keras
import numpy as np
from sklearn.datasets import load_digits

import lehr
from lehr.interop.keras import LearningRate

SCHEDULE = lehr.warmup("10%") >> lehr.hold() >> lehr.cosine("40%", to=0.1)
UPDATES = 40


def build() -> keras.Model:
    """Return a new model with its optimizer."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((64,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(10)]
    )
    rate = LearningRate(SCHEDULE.over(UPDATES), base=1e-2)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(rate), loss)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="where the checkpoint is kept")
    parser.add_argument("--stop-after", type=int, default=UPDATES, help="save and stop early")
    arguments = parser.parse_args()

    images, digits = load_digits(return_X_y=True)
    images = (images / 16).astype("float32")  # pixels from 0 to 1

    checkpoint = arguments.out / "model.keras"
    # The optimizer is in the file, with the schedule and the number of updates made.
    model = keras.models.load_model(checkpoint) if checkpoint.exists() else build()

    for update in range(int(model.optimizer.iterations), arguments.stop_after):
        # Seeded by its number, so that a resumed run sees the same batches.
        batch = np.random.default_rng(update).integers(len(images), size=32)
        rate = float(model.optimizer.learning_rate)
        loss = float(model.train_on_batch(images[batch], digits[batch]))
        model.reset_metrics()
        print(f"update {update}  rate {rate!r}  loss {loss!r}")

    arguments.out.mkdir(parents=True, exist_ok=True)
    model.save(checkpoint)


if __name__ == "__main__":
    main()
