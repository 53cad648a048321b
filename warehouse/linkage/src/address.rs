//! Korean addresses: region, town, road and number, each in one spelling.

use crate::hangul::half_width;

/// An address in parts; what is not there or not recognised is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Address {
    /// 시도, shortest common form: 서울, 강원, 제주.
    pub sido: Option<String>,
    /// 시군구, both words where there are two: 동구, 수원시 팔달구.
    pub sigungu: Option<String>,
    /// 읍면동 or 가, from the address or from brackets: 신천동, 논공읍, 충무로2가.
    pub town: Option<String>,
    /// 도로명: 화랑로108길.
    pub road: Option<String>,
    /// Number on the road or of the lot: 34, 12-3.
    pub building: Option<String>,
}

/// Short form and the other forms of the 17 시도.
const SIDO: &[(&str, &[&str])] = &[
    ("서울", &["서울특별시", "서울시"]),
    ("부산", &["부산광역시", "부산시"]),
    ("대구", &["대구광역시", "대구시"]),
    ("인천", &["인천광역시", "인천시"]),
    ("광주", &["광주광역시"]),
    ("대전", &["대전광역시", "대전시"]),
    ("울산", &["울산광역시", "울산시"]),
    ("세종", &["세종특별자치시", "세종시"]),
    ("경기", &["경기도"]),
    ("강원", &["강원특별자치도", "강원도"]),
    ("충북", &["충청북도"]),
    ("충남", &["충청남도"]),
    ("전북", &["전북특별자치도", "전라북도"]),
    ("전남", &["전라남도"]),
    ("경북", &["경상북도"]),
    ("경남", &["경상남도"]),
    ("제주", &["제주특별자치도", "제주도"]),
];

impl Address {
    /// Splits an address as it stands in a register.
    pub fn parse(text: &str) -> Self {
        let narrow = half_width(text);
        let (outside, inside) = match narrow.split_once('(') {
            Some((outside, inside)) => (outside, inside.trim_end_matches(')')),
            None => (narrow.as_str(), ""),
        };
        let mut address = Self::default();
        for word in outside.split([' ', ',']).filter(|word| !word.is_empty()) {
            address.take(word);
        }
        if address.town.is_none() {
            let mut words = inside.split([' ', ',']);
            address.town = words.find(|word| is_town(word)).map(str::to_owned);
        }
        address
    }

    fn take(&mut self, word: &str) {
        let located = self.town.is_some() || self.road.is_some();
        let sido = SIDO
            .iter()
            .find(|(short, long)| *short == word || long.contains(&word));
        let first = self.sido.is_none() && self.sigungu.is_none() && !located;
        if let (true, Some((short, _))) = (first, sido) {
            self.sido = Some((*short).to_owned());
            return;
        }
        let is_district = word.chars().count() >= 2 && word.ends_with(['시', '군', '구']);
        if is_district && !located {
            match &mut self.sigungu {
                None => self.sigungu = Some(word.to_owned()),
                Some(city) if city.ends_with('시') && word.ends_with('구') => {
                    city.push(' ');
                    city.push_str(word);
                }
                Some(_) => {}
            }
        } else if self.road.is_none() && is_road(word) {
            let (road, number) = split_number(word);
            self.road = Some(road.to_owned());
            self.building = number.map(str::to_owned);
        } else if self.town.is_none() && self.road.is_none() && is_town(word) {
            self.town = Some(word.to_owned());
        } else if located && self.building.is_none() && is_number(word) {
            self.building = Some(word.trim_end_matches("번지").to_owned());
        }
    }
}

fn is_town(word: &str) -> bool {
    word.chars().count() >= 2 && word.ends_with(['읍', '면', '동', '가', '리'])
}

fn is_road(word: &str) -> bool {
    let (road, _) = split_number(word);
    road.chars().count() >= 2 && road.ends_with(['로', '길'])
}

/// 쑥고개로78 → 쑥고개로 and 78.
fn split_number(word: &str) -> (&str, Option<&str>) {
    let name = word.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
    let number = &word[name.len()..];
    (name, is_number(number).then_some(number))
}

fn is_number(word: &str) -> bool {
    let word = word.trim_end_matches("번지");
    word.starts_with(|c: char| c.is_ascii_digit())
        && word.chars().all(|c| c.is_ascii_digit() || c == '-')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn parts(text: &str) -> [String; 5] {
        let address = Address::parse(text);
        [
            address.sido,
            address.sigungu,
            address.town,
            address.road,
            address.building,
        ]
        .map(Option::unwrap_or_default)
    }

    #[rstest]
    #[case("대구광역시 동구 송라로 12", ["대구", "동구", "", "송라로", "12"])]
    #[case("인천 서구 새오개로 34 2층 (석남동)", ["인천", "서구", "석남동", "새오개로", "34"])]
    #[case("서울특별시 중구 퇴계로 163 허주회관빌딩 301 (충무로2가)", ["서울", "중구", "충무로2가", "퇴계로", "163"])]
    #[case("강원도 춘천시 남산면 햇골길 80", ["강원", "춘천시", "남산면", "햇골길", "80"])]
    #[case("강원특별자치도 춘천시 남산면 햇골길80", ["강원", "춘천시", "남산면", "햇골길", "80"])]
    #[case("경기도 수원시 팔달구 인계동 1111-1번지", ["경기", "수원시 팔달구", "인계동", "", "1111-1"])]
    #[case("대구광역시 달성군 논공읍 논공로53길", ["대구", "달성군", "논공읍", "논공로53길", ""])]
    #[case("세종특별자치시 한누리대로 2130", ["세종", "", "", "한누리대로", "2130"])]
    #[case("전라북도 남원시 쑥고개로 78", ["전북", "남원시", "", "쑥고개로", "78"])]
    #[case("", ["", "", "", "", ""])]
    fn addresses_are_split(#[case] text: &str, #[case] expected: [&str; 5]) {
        assert_eq!(parts(text), expected);
    }
}
