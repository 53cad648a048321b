//! Deliveries by seed: a contract, its records, and the bytes a provider would write.
#![allow(clippy::unwrap_used)]

/// A stream of numbers by seed (SplitMix64, Steele, Lea and Flood 2014).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize].clone()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    Csv,
    Fixed,
    Json,
    Lines,
    Xml,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Code,
    Int,
    Bigint,
    Decimal,
    Won,
    Float,
    Date,
    Month,
    Timestamp,
    Boolean,
}

const KINDS: [Kind; 11] = [
    Kind::Text,
    Kind::Text,
    Kind::Code,
    Kind::Int,
    Kind::Bigint,
    Kind::Decimal,
    Kind::Float,
    Kind::Date,
    Kind::Month,
    Kind::Timestamp,
    Kind::Boolean,
];

#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
    pub nullable: bool,
    /// Bytes in a fixed-width record.
    pub width: usize,
}

/// How delimited and fixed-width text is written.
#[derive(Clone, Debug)]
pub struct Dialect {
    pub encoding: &'static str,
    pub delimiter: u8,
    pub quote: Option<u8>,
    pub backslash: bool,
    pub comment: Option<u8>,
    pub trim: bool,
    pub header: bool,
    pub newline: &'static str,
    pub mark: bool,
}

/// A delivery before it is corrupted.
#[derive(Debug)]
pub struct Delivery {
    pub layout: Layout,
    pub contract: String,
    pub columns: Vec<Column>,
    pub dialect: Dialect,
    /// Texts as delivered; `None` where nothing stands.
    pub rows: Vec<Vec<Option<String>>>,
    /// The pieces the file is made of: what stands before, the records, what stands behind.
    pub pieces: Vec<String>,
}

impl Delivery {
    pub fn generate(layout: Layout, random: &mut Random) -> Self {
        let mut columns = vec![
            column("n", Kind::Int, false),
            column("won", Kind::Won, false),
        ];
        for index in 0..random.below(5) {
            let kind = random.pick(&KINDS);
            columns.push(column(&format!("c{index}"), kind, random.one_in(2)));
        }
        let dialect = dialect(layout, random);
        // A list of XML without an element and without a count is no answer of the contract's kind.
        let count = random.below(40) + u64::from(layout == Layout::Xml);
        let rows: Vec<Vec<Option<String>>> = (0..count)
            .map(|row| {
                columns
                    .iter()
                    .map(|column| value(column, row, layout, &dialect, random))
                    .collect()
            })
            .collect();
        let mut delivery = Self {
            layout,
            contract: String::new(),
            columns,
            dialect,
            rows,
            pieces: Vec::new(),
        };
        delivery.contract = delivery.written_contract();
        delivery.pieces = delivery.written(random);
        delivery
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        self.encoded(&self.pieces.concat())
    }

    /// Text in the delivery's encoding; the mark in front when the dialect has one.
    pub fn encoded(&self, text: &str) -> Vec<u8> {
        let text = if self.dialect.mark {
            format!("\u{FEFF}{text}")
        } else {
            text.to_owned()
        };
        match self.dialect.encoding {
            "cp949" => encoding_rs::EUC_KR.encode(&text).0.into_owned(),
            "utf-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            "utf-16be" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            _ => text.into_bytes(),
        }
    }

    /// The rows whose values all keep the contract, as they have to be stored.
    pub fn accepted(&self) -> Vec<Vec<String>> {
        self.rows
            .iter()
            .filter_map(|row| super::oracle::stored(self, row).ok())
            .collect()
    }

    fn written_contract(&self) -> String {
        let dialect = &self.dialect;
        let encoding = dialect.encoding;
        let quoted = |byte: u8| match byte {
            b'\t' => "\"\\t\"".to_owned(),
            b'"' => "'\"'".to_owned(),
            byte => format!("\"{}\"", char::from(byte)),
        };
        let format = match self.layout {
            Layout::Csv => format!(
                "{{kind: csv, encoding: {encoding}, delimiter: {}, quote: {}, escape: {}, header: {}, trim: {}{}}}",
                quoted(dialect.delimiter),
                dialect.quote.map_or("none".to_owned(), quoted),
                if dialect.backslash {
                    "backslash"
                } else {
                    "doubled"
                },
                dialect.header,
                dialect.trim,
                dialect
                    .comment
                    .map_or(String::new(), |byte| format!(", comment: {}", quoted(byte))),
            ),
            Layout::Fixed => format!(
                "{{kind: fixed, encoding: {encoding}, record_bytes: {}, newline: {}}}",
                self.record_bytes(),
                match dialect.newline {
                    "" => "none",
                    "\r\n" => "crlf",
                    _ => "lf",
                }
            ),
            Layout::Json => format!("{{kind: json, encoding: {encoding}, record: /body/item}}"),
            Layout::Lines => format!("{{kind: json, encoding: {encoding}, lines: true}}"),
            Layout::Xml => format!("{{kind: xml, encoding: {encoding}, record: /body/item}}"),
        };
        let mut contract = format!("control_totals: [won]\nformat: {format}\ncolumns:\n");
        let mut start = 0;
        for column in &self.columns {
            let kind = match column.kind {
                Kind::Text => "string",
                Kind::Code => "code, domain: [A1, B2, 가]",
                Kind::Int => "int",
                Kind::Bigint => "bigint",
                Kind::Decimal => "\"decimal(12,2)\"",
                Kind::Won => "won",
                Kind::Float => "float",
                Kind::Date => "date, format: \"%Y-%m-%d\"",
                Kind::Month => "month, format: \"%Y%m\"",
                Kind::Timestamp => "timestamp, format: \"%Y-%m-%d %H:%M:%S\"",
                Kind::Boolean => "boolean",
            };
            let at = if self.layout == Layout::Fixed {
                format!(", at: [{start}, {}]", column.width)
            } else {
                String::new()
            };
            start += column.width;
            contract.push_str(&format!(
                "  - {{name: {}, type: {kind}, nullable: {}{at}}}\n",
                column.name, column.nullable
            ));
        }
        contract
    }

    pub fn record_bytes(&self) -> usize {
        self.columns.iter().map(|column| column.width).sum()
    }

    fn written(&self, random: &mut Random) -> Vec<String> {
        let mut pieces = Vec::new();
        match self.layout {
            Layout::Csv => {
                let newline = self.dialect.newline;
                if self.dialect.header {
                    let names: Vec<Option<String>> = self
                        .columns
                        .iter()
                        .map(|column| Some(column.name.clone()))
                        .collect();
                    pieces.push(self.delimited(&names, random) + newline);
                }
                for row in &self.rows {
                    if let Some(comment) = self.dialect.comment
                        && random.one_in(8)
                    {
                        pieces.push(format!("{}a \"note\"{newline}", char::from(comment)));
                    }
                    pieces.push(self.delimited(row, random) + newline);
                }
            }
            Layout::Fixed => {
                for row in &self.rows {
                    let mut record = String::new();
                    for (column, text) in self.columns.iter().zip(row) {
                        let text = text.as_deref().unwrap_or_default();
                        let used = encoded_length(text, self.dialect.encoding);
                        record.push_str(text);
                        record.push_str(&" ".repeat(column.width - used));
                    }
                    pieces.push(record + self.dialect.newline);
                }
            }
            Layout::Json => {
                pieces.push("{\"note\": [1, {\"a\": \"]\"}], \"body\": {\"item\": [\n".to_owned());
                for (index, row) in self.rows.iter().enumerate() {
                    let comma = if index + 1 < self.rows.len() { "," } else { "" };
                    pieces.push(format!("{}{comma}\n", self.object(row, random)));
                }
                pieces.push("]}}\n".to_owned());
            }
            Layout::Lines => {
                for row in &self.rows {
                    pieces.push(self.object(row, random) + "\n");
                }
            }
            Layout::Xml => {
                pieces.push("<?xml version=\"1.0\"?>\n<body>\n".to_owned());
                for row in &self.rows {
                    pieces.push(self.element(row));
                }
                pieces.push("</body>\n".to_owned());
            }
        }
        pieces
    }

    fn delimited(&self, row: &[Option<String>], random: &mut Random) -> String {
        let dialect = &self.dialect;
        let fields: Vec<String> = row
            .iter()
            .map(|text| {
                let text = text.as_deref().unwrap_or_default();
                let Some(quote) = dialect.quote.map(char::from) else {
                    return text.to_owned();
                };
                let needs = text.chars().any(|letter| {
                    letter == char::from(dialect.delimiter) || matches!(letter, '\n' | '\r')
                }) || text.starts_with(quote);
                if !needs && !random.one_in(4) {
                    return text.to_owned();
                }
                let escaped = if dialect.backslash {
                    text.replace('\\', "\\\\")
                        .replace(quote, &format!("\\{quote}"))
                } else {
                    text.replace(quote, &format!("{quote}{quote}"))
                };
                format!("{quote}{escaped}{quote}")
            })
            .collect();
        fields.join(&char::from(dialect.delimiter).to_string())
    }

    fn object(&self, row: &[Option<String>], random: &mut Random) -> String {
        let mut fields = Vec::new();
        for (column, text) in self.columns.iter().zip(row) {
            let name = &column.name;
            match text {
                None if random.one_in(2) => fields.push(format!("\"{name}\": null")),
                None => {}
                Some(text) => {
                    let is_plain = text
                        .parse::<i64>()
                        .is_ok_and(|number| number.to_string() == *text);
                    if is_plain && random.one_in(2) {
                        fields.push(format!("\"{name}\":{text}"));
                    } else {
                        let text = serde_json::to_string(text).unwrap();
                        fields.push(format!("\"{name}\": {text}"));
                    }
                }
            }
        }
        format!("{{{}}}", fields.join(", "))
    }

    fn element(&self, row: &[Option<String>]) -> String {
        let mut element = "<item>".to_owned();
        for (column, text) in self.columns.iter().zip(row) {
            if let Some(text) = text {
                let text = text
                    .replace('&', "&amp;")
                    .replace('<', "&lt;")
                    .replace('>', "&gt;");
                let name = &column.name;
                element.push_str(&format!("<{name}>{text}</{name}>"));
            }
        }
        element + "</item>\n"
    }
}

fn column(name: &str, kind: Kind, nullable: bool) -> Column {
    Column {
        name: name.to_owned(),
        kind,
        nullable,
        width: 24,
    }
}

fn dialect(layout: Layout, random: &mut Random) -> Dialect {
    let encodings: &[&'static str] = match layout {
        Layout::Fixed => &["utf-8", "cp949"],
        _ => &["utf-8", "cp949", "utf-16le", "utf-16be"],
    };
    let encoding = random.pick(encodings);
    let newlines: &[&'static str] = match layout {
        Layout::Csv => &["\n", "\r\n", "\r"],
        Layout::Fixed => &["\n", "\r\n", ""],
        _ => &["\n"],
    };
    Dialect {
        encoding,
        delimiter: random.pick(b",;|\t"),
        quote: random.pick(&[Some(b'"'), Some(b'"'), Some(b'\''), None]),
        backslash: random.one_in(3),
        comment: random.pick(&[None, None, Some(b'#')]),
        trim: random.one_in(3),
        header: !random.one_in(3),
        newline: random.pick(newlines),
        mark: layout == Layout::Csv && encoding != "cp949" && random.one_in(3),
    }
}

fn encoded_length(text: &str, encoding: &str) -> usize {
    match encoding {
        "cp949" => encoding_rs::EUC_KR.encode(text).0.len(),
        _ => text.len(),
    }
}

const WORDS: [&str; 12] = [
    "똠방각하",
    "서울특별시",
    "(주)가나",
    "a b",
    "A&B <c>",
    "x'y",
    "\\",
    "say \"no\"",
    "=1+1",
    "00123",
    "펲시",
    "-",
];
const WORDS_OF_QUOTED_TEXT: [&str; 4] = ["a,b;c|d\te", "first\nsecond", "가\r\n나", "\"\""];
const WRONG: [&str; 6] = [
    "x",
    "1,5",
    "-",
    "2024-02-30",
    "１２",
    "99999999999999999999",
];

/// A value as delivered, one in thirty wrong, `None` where nothing stands.
fn value(
    column: &Column,
    row: u64,
    layout: Layout,
    dialect: &Dialect,
    random: &mut Random,
) -> Option<String> {
    if column.name == "n" {
        return Some(row.to_string());
    }
    if column.nullable && random.one_in(5) {
        return None;
    }
    let number = random.below(2_000_000) as i64 - 1_000_000;
    if column.kind != Kind::Text && random.one_in(30) {
        return Some(writable(random.pick(&WRONG), layout, dialect));
    }
    let (year, month, day) = (
        1950 + random.below(100),
        1 + random.below(12),
        1 + random.below(28),
    );
    Some(match column.kind {
        Kind::Text => {
            let has_any_letter = layout == Layout::Csv && dialect.quote.is_some();
            let word = if has_any_letter && random.one_in(3) {
                random.pick(&WORDS_OF_QUOTED_TEXT)
            } else {
                random.pick(&WORDS)
            };
            writable(word, layout, dialect)
        }
        Kind::Code => random.pick(&["A1", "B2", "가"]).to_owned(),
        Kind::Int => number.to_string(),
        Kind::Bigint => (number * 1_000_000_007).to_string(),
        Kind::Decimal => format!("{}.{:02}", number, random.below(100)),
        Kind::Won if random.one_in(10) => format!("{number}.0"),
        Kind::Won => (number * random.below(1000) as i64).to_string(),
        Kind::Float => format!("{}e{}", number, random.below(5)),
        Kind::Date => format!("{year:04}-{month:02}-{day:02}"),
        Kind::Month => format!("{year:04}{month:02}"),
        Kind::Timestamp => format!(
            "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}",
            random.below(24),
            random.below(60),
            random.below(60)
        ),
        Kind::Boolean => random
            .pick(&["Y", "N", "1", "0", "예", "아니오"])
            .to_owned(),
    })
}

/// A text without what the dialect cannot write.
fn writable(text: &str, layout: Layout, dialect: &Dialect) -> String {
    if layout == Layout::Csv && dialect.quote.is_none() {
        return text
            .chars()
            .filter(|letter| {
                *letter != char::from(dialect.delimiter) && !matches!(letter, '\n' | '\r')
            })
            .collect();
    }
    text.to_owned()
}
