-- A score says which row of its entity the model saw, as of which night, and what the model said before the correction: from
-- these its reasons can be computed again, and only its own. Each merge writes scores anew, so none is carried over.

drop table case_incoming_scores;

drop table case_scores;

create table case_scores (
    case_no bigint primary key references cases (case_no),
    -- in billionths
    risk_ppb bigint not null check (risk_ppb between 0 and 1000000000),
    model text not null,
    entity text not null,
    -- since when the row of the entity runs, and the night that ranked by it
    entered_on text not null,
    scored_on text not null,
    -- the probability before the correction to the true prevalence
    learned_ppb bigint not null check (learned_ppb between 0 and 1000000000),
    model_version text not null,
    -- whether the random draw sufficed to correct it to the true prevalence
    is_corrected bigint not null check (is_corrected in (0, 1))
);

create table case_incoming_scores (
    pivot_key text primary key,
    risk_ppb bigint not null,
    model text not null,
    entity text not null,
    entered_on text not null,
    scored_on text not null,
    learned_ppb bigint not null,
    model_version text not null,
    is_corrected bigint not null
);
