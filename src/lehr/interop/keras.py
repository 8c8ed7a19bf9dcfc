"""Keras 3: a schedule as a ``LearningRateSchedule`` that is saved with the model."""

from __future__ import annotations

from typing import Any

from lehr.errors import ScheduleError, number, whole
from lehr.extras import needs
from lehr.notation import ScheduleLike, as_schedule
from lehr.schedule.tree import from_dict

with needs("lehr.interop.keras", None, "keras"):
    import keras

__all__ = ["LearningRate"]


@keras.saving.register_keras_serializable(package="lehr")
class LearningRate(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that follows a schedule: ``base * schedule(t)`` at update ``t``.

    Arguments:
        schedule: A lehr schedule with a known length: placed with ``over``, or written in steps.
        base: The rate that the schedule multiplies, at least 0.
        gradient_accumulation_steps: The optimizer's argument of that name, if it has one. Keras
            evaluates the rate at each batch, whereas the schedule counts updates.

    Raises:
        ScheduleError: If the schedule could give a negative rate, or the backend's arrays do not
            follow the array API (TensorFlow's).
        NeedsHorizon: If the schedule has no length: write ``schedule.over(updates)``.

    Example::

        schedule = lehr.warmup("5%") >> lehr.cosine(to=0.1)
        optimizer = keras.optimizers.AdamW(LearningRate(schedule.over(10_000), base=3e-4))
    """

    def __init__(
        self,
        schedule: ScheduleLike,
        base: float = 1.0,
        gradient_accumulation_steps: int | None = None,
    ) -> None:
        schedule = as_schedule("schedule", schedule)
        if keras.backend.backend() == "tensorflow":
            raise ScheduleError(
                "TensorFlow's arrays do not follow the array API; set KERAS_BACKEND to jax or torch"
            )
        self.schedule, self.base = schedule, number("base", base, at_least=0)
        self.gradient_accumulation_steps = whole(
            "gradient_accumulation_steps", gradient_accumulation_steps or 1, at_least=1
        )
        low, _ = schedule.bounds
        if low < 0:
            raise ScheduleError(
                f"schedule={schedule} could give a rate of {low * self.base:g}; write .clip(low=0)"
            )

    def __call__(self, step: Any) -> Any:
        """Return the rate at a batch, counted from 0, as an array of the backend."""
        step = keras.ops.convert_to_tensor(step)
        return self.base * self.schedule(step // self.gradient_accumulation_steps)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments as plain types, the schedule as a dict."""
        return {
            "schedule": self.schedule.to_dict(),
            "base": self.base,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LearningRate:
        """Build a learning rate from the result of :meth:`get_config`."""
        return cls(**{**config, "schedule": from_dict(config["schedule"])})
