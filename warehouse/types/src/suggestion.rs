/// The candidate nearest to a misspelt name, when one is near enough to be meant.
///
/// Distance is Levenshtein's; a third of the name's length may differ, two characters at least.
pub fn nearest_name<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(2);
    candidates
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut previous: Vec<usize> = (0..=right.len()).collect();
    for (row, left_character) in left.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, right_character) in right.iter().enumerate() {
            let substitution = previous[column] + usize::from(left_character != *right_character);
            current.push(
                substitution
                    .min(previous[column + 1] + 1)
                    .min(current[column] + 1),
            );
        }
        previous = current;
    }
    previous[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_name_is_suggested_and_far_names_are_not() {
        let tables = ["person", "workplace", "employment_spell"];
        assert_eq!(nearest_name("persn", tables), Some("person"));
        assert_eq!(
            nearest_name("employement_spell", tables),
            Some("employment_spell")
        );
        assert_eq!(nearest_name("vacancy", tables), None);
    }
}
