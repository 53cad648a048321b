/// Whether a path matches a glob: `*` any run of characters but `/`, `**` any run, `?` one.
pub(crate) fn matches_glob(glob: &str, path: &str) -> bool {
    matches(glob.as_bytes(), path.as_bytes())
}

fn matches(glob: &[u8], path: &[u8]) -> bool {
    match glob {
        [] => path.is_empty(),
        [b'*', b'*', b'/', rest @ ..] => {
            matches(rest, path)
                || (0..path.len()).any(|at| path[at] == b'/' && matches(rest, &path[at + 1..]))
        }
        [b'*', rest @ ..] => {
            let end = path.iter().position(|byte| *byte == b'/');
            (0..=end.unwrap_or(path.len())).any(|at| matches(rest, &path[at..]))
        }
        [b'?', rest @ ..] => match path {
            [first, tail @ ..] if *first != b'/' => {
                // One letter, however many bytes it has.
                let inside = tail.iter().take_while(|byte| **byte & 0xC0 == 0x80).count();
                matches(rest, &tail[inside..])
            }
            _ => false,
        },
        [wanted, rest @ ..] => match path {
            [first, tail @ ..] if first == wanted => matches(rest, tail),
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::matches_glob;
    use rstest::rstest;

    #[rstest]
    #[case("eis/opib_*.xml", "eis/opib_insured.xml", true)]
    #[case("eis/opib_*.xml", "eis/sub/opib_insured.xml", false)]
    #[case("*.csv", "a/b.csv", false)]
    #[case("**/*.csv", "a/b/c.csv", true)]
    #[case("**/*.csv", "c.csv", true)]
    #[case("value_??.json", "value_01.json", true)]
    #[case("value_??.json", "value_1.json", false)]
    #[case("?료", "자료", true)]
    #[case("??료", "자료", false)]
    #[case("", "", true)]
    fn globs(#[case] glob: &str, #[case] path: &str, #[case] expected: bool) {
        assert_eq!(matches_glob(glob, path), expected);
    }
}
