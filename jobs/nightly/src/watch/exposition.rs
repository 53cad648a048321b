//! Prometheus' text format, version 0.0.4.

use std::fmt::Write;

/// What a family of samples counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only grows; its name ends in `_total`.
    Counter,
}

/// Families of samples, written once each.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    text: String,
}

/// Labels with their values, and a figure.
pub(crate) type Sample<'a> = (Vec<(&'static str, &'a str)>, f64);

impl Exposition {
    /// Writes a family. One without samples is left out: it was not computed.
    pub(crate) fn family<'a>(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        samples: impl IntoIterator<Item = Sample<'a>>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        let kind = match kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        };
        let out = &mut self.text;
        // Writing to a string does not fail.
        let _infallible = writeln!(out, "# HELP {name} {}", escaped(help, false));
        let _infallible = writeln!(out, "# TYPE {name} {kind}");
        for (labels, figure) in samples {
            out.push_str(name);
            for (position, (label, value)) in labels.iter().enumerate() {
                out.push(if position == 0 { '{' } else { ',' });
                let _infallible = write!(out, "{label}=\"{}\"", escaped(value, true));
            }
            if !labels.is_empty() {
                out.push('}');
            }
            let _infallible = writeln!(out, " {figure}");
        }
    }

    /// The page.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

fn escaped(text: &str, is_label: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    match is_label {
        true => text.replace('"', "\\\""),
        false => text,
    }
}

/// What is wrong with a page by the rules of the format and of naming: families once, in one piece, with help and
/// type before their samples; base units; counters end in `_total`; label names and values well formed; no sample twice.
#[cfg(test)]
pub(crate) fn problems(page: &str) -> Vec<String> {
    use std::collections::BTreeSet;

    let is_name = |name: &str| {
        let mut letters = name.chars();
        letters
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
            && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    let mut problems = Vec::new();
    let (mut families, mut samples) = (BTreeSet::new(), BTreeSet::new());
    let (mut helped, mut family) = (String::new(), String::new());
    if !page.ends_with('\n') {
        problems.push("the last line does not end".to_owned());
    }
    for line in page.lines() {
        let mut wrong = |what: &str| problems.push(format!("{what}: {line}"));
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let Some((name, help)) = rest.split_once(' ') else {
                wrong("no help");
                continue;
            };
            if help.trim().is_empty() {
                wrong("empty help");
            }
            helped = name.to_owned();
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or_default();
            if name != helped {
                wrong("type without help");
            }
            if !is_name(name) {
                wrong("no name of a metric");
            }
            if !["gauge", "counter"].contains(&kind) {
                wrong("unknown type");
            }
            if (kind == "counter") != name.ends_with("_total") {
                wrong("counters, and only they, end in _total");
            }
            let parts: Vec<&str> = name.split('_').collect();
            for unit in [
                "milliseconds",
                "ms",
                "minutes",
                "hours",
                "days",
                "kilobytes",
                "mib",
                "percent",
            ] {
                if parts.contains(&unit) {
                    wrong("not a base unit");
                }
            }
            if !families.insert(name.to_owned()) {
                wrong("a family in two pieces");
            }
            family = name.to_owned();
            continue;
        }
        if line.starts_with('#') || line.is_empty() {
            wrong("neither help nor type nor sample");
            continue;
        }
        let Some((series, figure)) = line.rsplit_once(' ') else {
            wrong("a sample has a figure");
            continue;
        };
        if figure.parse::<f64>().is_err() {
            wrong("no figure");
        }
        if !samples.insert(series.to_owned()) {
            wrong("a sample twice");
        }
        let (name, labels) = match series.split_once('{') {
            None => (series, None),
            Some((name, labels)) => (name, labels.strip_suffix('}').or(Some("}"))),
        };
        if name != family {
            wrong("a sample of another family");
        }
        let mut rest = labels.unwrap_or_default();
        let mut names = BTreeSet::new();
        while !rest.is_empty() {
            let Some((label, after)) = rest.split_once("=\"") else {
                wrong("no label");
                break;
            };
            if !is_name(label) || label.starts_with("__") || !names.insert(label.to_owned()) {
                wrong("a label's name");
            }
            let mut is_escaped = false;
            let end = after.char_indices().find(|(_, letter)| {
                let ends = *letter == '"' && !is_escaped;
                is_escaped = *letter == '\\' && !is_escaped;
                ends
            });
            let Some((end, _)) = end else {
                wrong("a label's value does not end");
                break;
            };
            rest = &after[end + 1..];
            rest = match rest.strip_prefix(',') {
                Some(rest) => rest,
                None if rest.is_empty() => rest,
                None => {
                    wrong("labels are not separated");
                    break;
                }
            };
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_and_a_family_without_samples_is_left_out() {
        let mut page = Exposition::default();
        page.family(
            "goyong_a",
            Kind::Gauge,
            "one\ntwo",
            [(vec![("plan", "a\"b\\c\nd"), ("x", "")], 1.5)],
        );
        page.family("goyong_b_total", Kind::Counter, "none", []);
        page.family(
            "goyong_c_total",
            Kind::Counter,
            "some",
            [(Vec::new(), 1_790_000_000.0)],
        );
        let text = page.into_text();
        assert_eq!(
            text,
            "# HELP goyong_a one\\ntwo\n# TYPE goyong_a gauge\ngoyong_a{plan=\"a\\\"b\\\\c\\nd\",x=\"\"} 1.5\n\
             # HELP goyong_c_total some\n# TYPE goyong_c_total counter\ngoyong_c_total 1790000000\n"
        );
        assert_eq!(problems(&text), Vec::<String>::new());
    }

    #[test]
    fn the_rules_find_what_is_wrong() {
        for page in [
            "goyong_a 1\n",
            "# HELP a x\n# TYPE a gauge\na 1\na 2\n",
            "# HELP a x\n# TYPE a counter\na 1\n",
            "# HELP a x\n# TYPE a gauge\na{b=\"1} 1\n",
            "# HELP a x\n# TYPE a gauge\na one\n",
            "# HELP a_ms x\n# TYPE a_ms gauge\na_ms 1\n",
            "# HELP a x\n# TYPE a gauge\na 1",
        ] {
            assert!(!problems(page).is_empty(), "{page}");
        }
    }
}
