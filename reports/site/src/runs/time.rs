//! Times and lengths of time as readers write them.

use chrono::TimeDelta;

use super::inputs::LocalTime;
use crate::language::Language;

/// Day and time with the offset: `2026-11-23 02:30:00 +09:00`.
pub(super) fn stamp(at: LocalTime) -> String {
    at.format("%Y-%m-%d %H:%M:%S %:z").to_string()
}

/// Time of day, with the day where it is another one than the first.
pub(super) fn clock(at: LocalTime, first: LocalTime) -> String {
    if at.date_naive() == first.date_naive() {
        at.format("%H:%M:%S").to_string()
    } else {
        at.format("%m-%d %H:%M:%S").to_string()
    }
}

/// A length of time in the two largest units that it has: `0.4 s`, `8 min 3 s`, `1 h 5 min`, `2 d 3 h`.
pub(super) fn length(time: TimeDelta, language: Language) -> String {
    let milliseconds = time.num_milliseconds().max(0);
    let (day, hour, minute, second) = match language {
        Language::Ko => ("일", "시간", "분", "초"),
        Language::En => (" d", " h", " min", " s"),
    };
    let seconds = milliseconds / 1000;
    let two = |large: i64, large_unit: &str, small: i64, small_unit: &str| {
        if small == 0 {
            format!("{large}{large_unit}")
        } else {
            format!("{large}{large_unit} {small}{small_unit}")
        }
    };
    match seconds {
        0..60 => format!("{:.1}{second}", milliseconds as f64 / 1000.0),
        60..3600 => two(seconds / 60, minute, seconds % 60, second),
        3600..86_400 => two(seconds / 3600, hour, seconds % 3600 / 60, minute),
        _ => two(seconds / 86_400, day, seconds % 86_400 / 3600, hour),
    }
}

/// The time from one instant to another, where both are known.
pub(super) fn between(
    from: Option<LocalTime>,
    to: Option<LocalTime>,
    language: Language,
) -> Option<String> {
    Some(length(to? - from?, language))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn lengths_have_their_two_largest_units() {
        let cases = [
            (0, "0.0 s", "0.0초"),
            (449, "0.4 s", "0.4초"),
            (59_900, "59.9 s", "59.9초"),
            (60_000, "1 min", "1분"),
            (483_000, "8 min 3 s", "8분 3초"),
            (3_900_000, "1 h 5 min", "1시간 5분"),
            (183_600_000, "2 d 3 h", "2일 3시간"),
            (-5, "0.0 s", "0.0초"),
        ];
        for (milliseconds, en, ko) in cases {
            let time = TimeDelta::milliseconds(milliseconds);
            assert_eq!(length(time, Language::En), en);
            assert_eq!(length(time, Language::Ko), ko);
        }
    }

    #[test]
    fn a_time_of_another_day_says_so() {
        let at = |text: &str| text.parse::<LocalTime>().unwrap();
        let first = at("2026-11-22T23:59:00+09:00");
        assert_eq!(clock(first, first), "23:59:00");
        assert_eq!(
            clock(at("2026-11-23T00:01:00+09:00"), first),
            "11-23 00:01:00"
        );
        assert_eq!(stamp(first), "2026-11-22 23:59:00 +09:00");
    }
}
