-- How much a case resembles what was decided to be fraud. It orders cases of one severity and nothing else: no state, no
-- event and no guard knows it. Each merge writes it anew.

create table case_scores (
    case_no bigint primary key references cases (case_no),
    -- the highest of the claims in its evidence, in billionths
    risk_ppb bigint not null check (risk_ppb between 0 and 1000000000),
    claim_no text not null,
    model_version text not null,
    -- whether the random draw sufficed to correct it to the true prevalence
    is_corrected bigint not null check (is_corrected in (0, 1))
);

create table case_incoming_scores (
    pivot_key text primary key,
    risk_ppb bigint not null,
    claim_no text not null,
    model_version text not null,
    is_corrected bigint not null
);
