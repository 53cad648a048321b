-- What a step says it did, as JSON: figures, figures of its parts, findings. Empty where it says nothing.

alter table scheduler_step_runs add column account text not null default '';
