//! What functions do with the values they are given.

use super::flow::Carry;

/// How much of a value an aggregate keeps. What picks or lists values hands them on whole; what is
/// not known here is taken for a picker, because that hides nothing.
pub(super) fn aggregate_carry(function: &str) -> Carry {
    match function {
        "count" | "approx_distinct" | "grouping" | "regr_count" | "count_distinct" => Carry::Count,
        "sum" | "avg" | "mean" | "stddev" | "stddev_pop" | "stddev_samp" | "var" | "var_pop"
        | "var_samp" | "var_population" | "var_sample" | "corr" | "covar" | "covar_pop"
        | "covar_samp" | "regr_slope" | "regr_intercept" | "regr_r2" | "regr_avgx"
        | "regr_avgy" | "regr_sxx" | "regr_syy" | "regr_sxy" | "bool_and" | "bool_or"
        | "bit_and" | "bit_or" | "bit_xor" => Carry::Total,
        _ => Carry::Whole,
    }
}

/// Window functions that number rows: their value comes from the order alone.
pub(super) fn numbers_rows(function: &str) -> bool {
    matches!(
        function,
        "row_number" | "rank" | "dense_rank" | "percent_rank" | "cume_dist" | "ntile"
    )
}

/// Functions that give one of their arguments as it is, chosen by whether another is null.
pub(super) fn chooses_by_null(function: &str) -> bool {
    matches!(function, "coalesce" | "nvl" | "ifnull")
}
