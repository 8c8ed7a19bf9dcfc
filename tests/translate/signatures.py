"""The arguments of every scheduler that is translated, by library, as its releases have them."""

_NOISE = "noise_range_t noise_pct noise_std noise_seed initialize"
_TIMM = f"warmup_t warmup_lr_init t_in_epochs {_NOISE}"
_TIMM_CYCLES = f"t_initial lr_min cycle_mul cycle_decay cycle_limit warmup_prefix {_TIMM}"
_MM = "param_name begin end last_step by_epoch verbose"
_OLMO = "lr_field initial_lr_field units type"
_OLMO_WARMUP = f"warmup warmup_steps warmup_fraction warmup_min_lr {_OLMO}"
_OLMO_DECAY = "decay decay_steps decay_fraction decay_min_lr"
_CYCLES = (
    "param_name start_value end_value cycle_size cycle_mult start_value_mult end_value_mult "
    "warmup_duration save_history param_group_index"
)
_STATE = "param_name save_history create_new"
_COUNTS = "num_warmup_steps num_training_steps"
_FIT = "wd cbs reset_opt start_epoch"
_LEVANTER = (
    "learning_rate weight_decay min_lr_ratio warmup decay rewarmup cooldown cycle_length cycles "
    "lr_schedule haps weight_decay_modules default_weight_decay_mask"
)
_PLATEAU = "mode factor patience threshold threshold_mode cooldown min_lr eps"

SIGNATURES: dict[str, dict[str, str]] = {
    "torch": {
        "StepLR": "step_size gamma last_epoch",
        "MultiStepLR": "milestones gamma last_epoch",
        "ConstantLR": "factor total_iters last_epoch",
        "LinearLR": "start_factor end_factor total_iters last_epoch",
        "ExponentialLR": "gamma last_epoch",
        "PolynomialLR": "total_iters power last_epoch",
        "CosineAnnealingLR": "T_max eta_min last_epoch",
        "CosineAnnealingWarmRestarts": "T_0 T_mult eta_min last_epoch",
        "CyclicLR": "base_lr max_lr step_size_up step_size_down mode gamma scale_fn scale_mode "
        "cycle_momentum base_momentum max_momentum last_epoch",
        "OneCycleLR": "max_lr total_steps epochs steps_per_epoch pct_start anneal_strategy "
        "cycle_momentum base_momentum max_momentum div_factor final_div_factor three_phase "
        "last_epoch",
        "LambdaLR": "lr_lambda last_epoch",
        "MultiplicativeLR": "lr_lambda last_epoch",
        "SWALR": "swa_lr anneal_epochs anneal_strategy last_epoch",
        "SequentialLR": "schedulers milestones last_epoch",
        "ChainedScheduler": "schedulers",
        "ReduceLROnPlateau": _PLATEAU,
    },
    "transformers": {
        "get_constant_schedule": "last_epoch",
        "get_constant_schedule_with_warmup": "num_warmup_steps last_epoch",
        "get_linear_schedule_with_warmup": f"{_COUNTS} last_epoch",
        "get_cosine_schedule_with_warmup": f"{_COUNTS} num_cycles last_epoch",
        "get_cosine_with_hard_restarts_schedule_with_warmup": f"{_COUNTS} num_cycles last_epoch",
        "get_polynomial_decay_schedule_with_warmup": f"{_COUNTS} lr_end power last_epoch",
        "get_inverse_sqrt_schedule": "num_warmup_steps timescale last_epoch",
        "get_cosine_with_min_lr_schedule_with_warmup": f"{_COUNTS} num_cycles last_epoch min_lr "
        "min_lr_rate",
        "get_cosine_with_min_lr_schedule_with_warmup_lr_rate": f"{_COUNTS} num_cycles last_epoch "
        "min_lr min_lr_rate warmup_lr_rate",
        "get_wsd_schedule": f"{_COUNTS} num_decay_steps num_stable_steps warmup_type decay_type "
        "min_lr_ratio num_cycles last_epoch",
        "get_scheduler": f"name {_COUNTS} scheduler_specific_kwargs",
        "GreedyLR": f"{_PLATEAU} warmup max_lr verbose smooth window_size reset_start",
    },
    "timm": {
        "CosineLRScheduler": f"{_TIMM_CYCLES} k_decay",
        "TanhLRScheduler": f"{_TIMM_CYCLES} lb ub",
        "PolyLRScheduler": f"{_TIMM_CYCLES} power k_decay",
        "StepLRScheduler": f"decay_t decay_rate warmup_prefix {_TIMM}",
        "MultiStepLRScheduler": f"decay_t decay_rate warmup_prefix {_TIMM}",
        "WSDLRScheduler": "t_initial decay_t lr_min stable_fn stable_timescale stable_power "
        f"decay_fn decay_power decay_ratio {_TIMM}",
        "PlateauLRScheduler": "decay_rate patience_t threshold cooldown_t warmup_t "
        f"warmup_lr_init lr_min mode noise_type {_NOISE}",
        "create_scheduler_v2": "sched num_epochs decay_epochs decay_milestones cooldown_epochs "
        "patience_epochs decay_rate min_lr warmup_lr warmup_epochs warmup_prefix noise noise_pct "
        "noise_std noise_seed cycle_mul cycle_decay cycle_limit k_decay decay_fn stable_timescale "
        "plateau_mode step_on_epochs updates_per_epoch",
    },
    "optax": {
        "constant_schedule": "value",
        "cosine_decay_schedule": "init_value decay_steps alpha exponent",
        "cosine_onecycle_schedule": "transition_steps peak_value pct_start div_factor "
        "final_div_factor",
        "exponential_decay": "init_value transition_steps decay_rate transition_begin staircase "
        "end_value",
        "join_schedules": "schedules boundaries",
        "linear_onecycle_schedule": "transition_steps peak_value pct_start pct_final div_factor "
        "final_div_factor",
        "linear_schedule": "init_value end_value transition_steps transition_begin",
        "piecewise_constant_schedule": "init_value boundaries_and_scales",
        "piecewise_interpolate_schedule": "interpolate_type init_value boundaries_and_scales",
        "polynomial_schedule": "init_value end_value power transition_steps transition_begin",
        "sgdr_schedule": "cosine_kwargs",
        "warmup_constant_schedule": "init_value peak_value warmup_steps",
        "warmup_cosine_decay_schedule": "init_value peak_value warmup_steps decay_steps end_value "
        "exponent",
        "warmup_exponential_decay_schedule": "init_value peak_value warmup_steps transition_steps "
        "decay_rate transition_begin staircase end_value",
    },
    "keras": {
        "ExponentialDecay": "initial_learning_rate decay_steps decay_rate staircase name",
        "PiecewiseConstantDecay": "boundaries values name",
        "PolynomialDecay": "initial_learning_rate decay_steps end_learning_rate power cycle name",
        "InverseTimeDecay": "initial_learning_rate decay_steps decay_rate staircase name",
        "CosineDecay": "initial_learning_rate decay_steps alpha name warmup_target warmup_steps",
        "CosineDecayRestarts": "initial_learning_rate first_decay_steps t_mul m_mul alpha name",
    },
    "composer": {
        "StepScheduler": "step_size gamma",
        "MultiStepScheduler": "milestones gamma",
        "ConstantScheduler": "alpha t_max",
        "LinearScheduler": "alpha_i alpha_f t_max",
        "ExponentialScheduler": "gamma decay_period",
        "CosineAnnealingScheduler": "t_max alpha_f",
        "CosineAnnealingWarmRestartsScheduler": "t_0 t_mult alpha_f",
        "PolynomialScheduler": "power t_max alpha_f",
        "MultiStepWithWarmupScheduler": "t_warmup milestones gamma scale_warmup",
        "ConstantWithWarmupScheduler": "t_warmup alpha t_max scale_warmup",
        "LinearWithWarmupScheduler": "t_warmup alpha_i alpha_f t_max scale_warmup",
        "CosineAnnealingWithWarmupScheduler": "t_warmup t_max alpha_f scale_warmup",
        "PolynomialWithWarmupScheduler": "t_warmup power t_max alpha_f scale_warmup",
    },
    "fvcore": {
        "ConstantParamScheduler": "value",
        "CosineParamScheduler": "start_value end_value",
        "ExponentialParamScheduler": "start_value decay",
        "LinearParamScheduler": "start_value end_value",
        "MultiStepParamScheduler": "values num_updates milestones",
        "PolynomialDecayParamScheduler": "base_value power",
        "StepParamScheduler": "num_updates values",
        "StepWithFixedGammaParamScheduler": "base_value num_decays gamma num_updates",
        "CompositeParamScheduler": "schedulers lengths interval_scaling",
    },
    "ignite": {
        "LinearCyclicalScheduler": f"{_CYCLES} monotonic",
        "CosineAnnealingScheduler": _CYCLES,
        "ConcatScheduler": "schedulers durations save_history",
        "create_lr_scheduler_with_warmup": "lr_scheduler warmup_start_value warmup_duration "
        "warmup_end_value save_history output_simulated_values",
        "PiecewiseLinear": "param_name milestones_values save_history param_group_index",
        "ParamGroupScheduler": "schedulers names save_history",
        "ReduceLROnPlateauScheduler": "metric_name trainer save_history param_group_index "
        f"{_PLATEAU}",
        "LambdaStateScheduler": f"lambda_obj {_STATE}",
        "PiecewiseLinearStateScheduler": f"milestones_values {_STATE}",
        "ExpStateScheduler": f"initial_value gamma {_STATE}",
        "StepStateScheduler": f"initial_value gamma step_size {_STATE}",
        "MultiStepStateScheduler": f"initial_value gamma milestones {_STATE}",
    },
    "fastai": {
        "sched_lin": "start end pos",
        "sched_cos": "start end pos",
        "sched_no": "start end pos",
        "sched_exp": "start end pos",
        "SchedLin": "start end",
        "SchedCos": "start end",
        "SchedNo": "start end",
        "SchedExp": "start end",
        "SchedPoly": "start end power",
        "combine_scheds": "pcts scheds",
        "combined_cos": "pct start middle end",
        "ParamScheduler": "scheds",
        "LRFinder": "start_lr end_lr num_it stop_div",
        "fit_one_cycle": f"n_epoch lr_max div div_final pct_start moms {_FIT}",
        "fit_flat_cos": f"n_epoch lr div_final pct_start {_FIT}",
        "fit_sgdr": f"n_cycles cycle_len lr_max cycle_mult {_FIT}",
        "lr_find": "start_lr end_lr num_it stop_div show_plot suggest_funcs",
    },
    "mmengine": {
        "StepParamScheduler": f"{_MM} step_size gamma",
        "MultiStepParamScheduler": f"{_MM} milestones gamma",
        "ConstantParamScheduler": f"{_MM} factor",
        "ExponentialParamScheduler": f"{_MM} gamma",
        "CosineAnnealingParamScheduler": f"{_MM} T_max eta_min eta_min_ratio",
        "LinearParamScheduler": f"{_MM} start_factor end_factor",
        "PolyParamScheduler": f"{_MM} eta_min power",
        "CosineRestartParamScheduler": f"{_MM} periods restart_weights eta_min eta_min_ratio",
        "OneCycleParamScheduler": f"{_MM} eta_max total_steps pct_start anneal_strategy "
        "div_factor final_div_factor three_phase",
        "ReduceOnPlateauParamScheduler": f"{_MM} monitor rule factor patience threshold "
        "threshold_rule cooldown min_value eps",
        "LinearMomentum": "start_factor end_factor begin end last_step by_epoch verbose",
    },
    "deepspeed": {
        "LRRangeTest": "lr_range_test_min_lr lr_range_test_step_size lr_range_test_step_rate "
        "lr_range_test_staircase last_batch_iteration",
        "OneCycle": "cycle_min_lr cycle_max_lr decay_lr_rate cycle_first_step_size "
        "cycle_second_step_size cycle_first_stair_count cycle_second_stair_count decay_step_size "
        "cycle_momentum cycle_min_mom cycle_max_mom decay_mom_rate last_batch_iteration",
        "WarmupLR": "warmup_min_lr warmup_max_lr warmup_num_steps warmup_type last_batch_iteration",
        "WarmupDecayLR": "total_num_steps warmup_min_lr warmup_max_lr warmup_num_steps "
        "warmup_type last_batch_iteration",
        "WarmupCosineLR": "total_num_steps warmup_min_ratio warmup_num_steps cos_min_ratio "
        "warmup_type last_batch_iteration",
    },
    "megatron": {
        "OptimizerParamScheduler": "init_lr max_lr min_lr lr_warmup_steps lr_decay_steps "
        "lr_decay_style start_wd end_wd wd_incr_steps wd_incr_style "
        "use_checkpoint_opt_param_scheduler override_opt_param_scheduler wsd_decay_steps "
        "lr_wsd_decay_style",
    },
    "olmo_core": {
        "ConstantScheduler": _OLMO,
        "ConstantWithWarmup": _OLMO_WARMUP,
        "WSD": f"{_OLMO_WARMUP} {_OLMO_DECAY}",
        "PowerLR": f"{_OLMO_WARMUP} {_OLMO_DECAY} b",
        "LinearWithWarmup": f"{_OLMO_WARMUP} alpha_f t_max",
        "InvSqrtWithWarmup": f"{_OLMO_WARMUP} alpha_f",
        "CosWithWarmup": f"{_OLMO_WARMUP} alpha_f t_max",
        "HalfCosWithWarmup": f"{_OLMO_WARMUP} alpha_f t_max",
        "CosWithWarmupAndLinearDecay": f"{_OLMO_WARMUP} {_OLMO_DECAY} alpha_f t_max",
        "ComposableScheduler": f"{_OLMO} stages override_decay",
        "SequentialScheduler": f"{_OLMO} schedulers schedulers_max schedulers_max_steps "
        "override_decay",
        "WSDS": f"{_OLMO} period_lengths period_lr_multipliers warmup warmup_fraction decay "
        "decay_fraction warmup_min_lr decay_min_lr",
        "ExponentialScheduler": f"{_OLMO} lr_min",
    },
    "torchtitan": {
        "LRSchedulersContainer": "warmup_steps total_steps decay_ratio decay_type min_lr_factor",
    },
    "levanter": {
        "ConstantLrSchedule": "",
        "CosineLrSchedule": "exponent",
        "LinearLrSchedule": "",
        "InvSqrtLrSchedule": "timescale",
        "InvLrSchedule": "",
        "PowerLrSchedule": "batch_size seq_length a b",
        "OptimizerConfig": _LEVANTER,
        "AdamConfig": f"{_LEVANTER} beta1 beta2 epsilon max_grad_norm nesterov "
        "update_rms_clipping clip_update_norm skip_bad_steps adamc_weight_decay",
        "LionConfig": f"{_LEVANTER} beta1 beta2 epsilon max_grad_norm",
    },
}
"""The names of the arguments, without the optimizer."""
