//! From rows as the sources write them to records that can be compared.

use std::sync::Arc;

use anyhow::{Context, Result};
use arrow_array::builder::{Date32Builder, Int32Builder, StringBuilder};
use arrow_array::{Array, ArrayRef, Date32Array, Int32Array, RecordBatch, StringArray};
use arrow_schema::DataType;
use goyong_linkage::address::Address;
use goyong_linkage::firm_name::FirmName;
use goyong_linkage::{LinkerBuilder, Settings};
use goyong_types::BusinessNumber;

use super::tables::PairWriter;
use super::{RECORDS, for_each_batch};
use crate::project::OpenProject;

/// Sources of the linker, in the order they are handed over.
pub(super) const SOURCES: [&str; 3] = ["business", "unnumbered", "nps_workplace"];

/// Records handed over at a time.
const BATCH_ROWS: usize = 8_192;

/// What is ready to be compared.
pub(super) struct Prepared {
    /// Nothing when one side has no record.
    pub builder: Option<LinkerBuilder>,
    /// Records with a valid business number.
    pub numbered: u64,
    /// Different valid business numbers.
    pub businesses: u64,
    /// Records that are compared with them.
    pub others: u64,
    /// Pairs that an equal number makes.
    pub by_number: u64,
}

/// One row of `linkage.workplace_record`.
#[derive(Debug, Clone, Default)]
pub(super) struct Workplace {
    pub source: String,
    pub source_id: String,
    pub name: Option<String>,
    pub biz_no: Option<String>,
    pub sigungu: Option<String>,
    pub address: Option<String>,
    pub started_on: Option<i32>,
    pub headcount: Option<i32>,
}

impl Workplace {
    /// The key that names the row in the linker.
    pub(super) fn key(&self) -> String {
        record_key(&self.source, &self.source_id)
    }

    /// Its business number when all ten digits stand there and agree with the check digit.
    pub(super) fn valid_biz_no(&self) -> Option<&str> {
        let text = self.biz_no.as_deref()?;
        let number = BusinessNumber::parse(text.as_bytes()).ok()?;
        number.check_digit_is_right().then_some(text)
    }
}

pub(super) fn record_key(source: &str, source_id: &str) -> String {
    format!("{source}/{source_id}")
}

/// The name without legal form and branch, as names are compared.
pub(super) fn core_name(name: &str) -> String {
    FirmName::parse(name).core
}

/// The rows of a batch of `linkage.workplace_record`.
pub(super) fn workplaces(batch: &RecordBatch) -> Result<Vec<Workplace>> {
    let source = texts(batch, "source")?;
    let source_id = texts(batch, "source_id")?;
    let name = texts(batch, "name")?;
    let biz_no = texts(batch, "biz_no")?;
    let sigungu = texts(batch, "sigungu")?;
    let address = texts(batch, "address")?;
    let started_on = column(batch, "started_on", &DataType::Date32)?;
    let started_on = started_on.as_any().downcast_ref::<Date32Array>();
    let headcount = column(batch, "headcount", &DataType::Int32)?;
    let headcount = headcount.as_any().downcast_ref::<Int32Array>();
    let text = |column: &StringArray, row: usize| {
        (!column.is_null(row)).then(|| column.value(row).to_owned())
    };
    Ok((0..batch.num_rows())
        .map(|row| Workplace {
            source: source.value(row).to_owned(),
            source_id: source_id.value(row).to_owned(),
            name: text(&name, row),
            biz_no: text(&biz_no, row),
            sigungu: text(&sigungu, row),
            address: text(&address, row),
            started_on: started_on.and_then(|days| (!days.is_null(row)).then(|| days.value(row))),
            headcount: headcount.and_then(|heads| (!heads.is_null(row)).then(|| heads.value(row))),
        })
        .collect())
}

pub(super) fn column(batch: &RecordBatch, name: &str, kind: &DataType) -> Result<ArrayRef> {
    let column = batch
        .column_by_name(name)
        .with_context(|| format!("the query returned no column {name}"))?;
    Ok(arrow_cast::cast(column, kind)?)
}

pub(super) fn texts(batch: &RecordBatch, name: &str) -> Result<StringArray> {
    column(batch, name, &DataType::Utf8)?
        .as_any()
        .downcast_ref::<StringArray>()
        .cloned()
        .with_context(|| format!("column {name} is no text"))
}

/// Reads the records in the order of their numbers, so that one pass finds what equal numbers
/// join, and hands them to the linker: every row of the employment insurance with a valid number,
/// an accident-insurance row only where it is the first to know the number.
pub(super) async fn prepare(
    project: &OpenProject,
    settings: &Settings,
    pairs: &mut PairWriter,
) -> Result<Prepared> {
    let mut by_number = 0;
    let mut group: Vec<Workplace> = Vec::new();
    let (mut numbered, mut businesses) = (0, 0);
    let mut business = RecordBuffer::default();
    let mut unnumbered = RecordBuffer::default();
    let mut pension = RecordBuffer::default();
    let mut builder = LinkerBuilder::new(settings.clone())?;
    let [business_name, unnumbered_name, pension_name] = SOURCES;
    let business_source = builder.add_source(business_name);

    let sql = format!(
        "select * from {RECORDS} where source in ('ei_workplace', 'kcomwel_workplace') \
         order by biz_no, source, source_id"
    );
    let mut close_group = |group: &mut Vec<Workplace>,
                           business: &mut RecordBuffer,
                           builder: &mut LinkerBuilder|
     -> Result<()> {
        let Some(first) = group.first() else {
            return Ok(());
        };
        businesses += 1;
        numbered += group.len() as u64;
        for other in &group[1..] {
            pairs.by_number(first, other)?;
            by_number += 1;
        }
        let address = group.iter().find_map(|one| one.address.clone());
        let first_source = first.source.clone();
        for mut one in group.drain(..) {
            if one.source == first_source {
                one.address = one.address.or_else(|| address.clone());
                business.push(&one);
            }
        }
        if business.rows >= BATCH_ROWS {
            builder.push(business_source, &business.take()?)?;
        }
        Ok(())
    };
    let mut others = 0;
    for_each_batch(project, &sql, |batch| {
        for workplace in workplaces(batch)? {
            if workplace.valid_biz_no().is_none() {
                others += 1;
                unnumbered.push(&Workplace {
                    biz_no: None,
                    ..workplace
                });
                continue;
            }
            if group
                .first()
                .is_some_and(|first| first.biz_no != workplace.biz_no)
            {
                close_group(&mut group, &mut business, &mut builder)?;
            }
            group.push(workplace);
        }
        Ok(())
    })
    .await?;
    close_group(&mut group, &mut business, &mut builder)?;
    builder.push(business_source, &business.take()?)?;
    let unnumbered_source = builder.add_source(unnumbered_name);
    builder.push(unnumbered_source, &unnumbered.take()?)?;

    let pension_source = builder.add_source(pension_name);
    let sql = format!("select * from {RECORDS} where source = 'nps_workplace' order by source_id");
    for_each_batch(project, &sql, |batch| {
        for workplace in workplaces(batch)? {
            others += 1;
            pension.push(&workplace);
            if pension.rows >= BATCH_ROWS {
                builder.push(pension_source, &pension.take()?)?;
            }
        }
        Ok(())
    })
    .await?;
    builder.push(pension_source, &pension.take()?)?;
    Ok(Prepared {
        builder: (numbered > 0 && others > 0).then_some(builder),
        numbered,
        businesses,
        others,
        by_number,
    })
}

/// Records on their way to the linker, in the columns that the settings name.
#[derive(Default)]
struct RecordBuffer {
    rows: usize,
    record_id: StringBuilder,
    name: StringBuilder,
    biz_no: StringBuilder,
    biz_prefix: StringBuilder,
    sigungu: StringBuilder,
    road: StringBuilder,
    started_on: Date32Builder,
    headcount: Int32Builder,
}

impl RecordBuffer {
    fn push(&mut self, workplace: &Workplace) {
        self.rows += 1;
        self.record_id.append_value(workplace.key());
        self.name
            .append_option(workplace.name.as_deref().map(core_name));
        self.biz_no.append_option(workplace.valid_biz_no());
        let prefix = workplace
            .biz_no
            .as_deref()
            .and_then(|number| number.get(..6));
        self.biz_prefix.append_option(prefix);
        self.sigungu.append_option(workplace.sigungu.as_deref());
        let road = workplace
            .address
            .as_deref()
            .and_then(|address| Address::parse(address).road);
        self.road.append_option(road);
        self.started_on.append_option(workplace.started_on);
        self.headcount.append_option(workplace.headcount);
    }

    fn take(&mut self) -> Result<RecordBatch> {
        self.rows = 0;
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("record_id", Arc::new(self.record_id.finish())),
            ("name", Arc::new(self.name.finish())),
            ("biz_no", Arc::new(self.biz_no.finish())),
            ("biz_prefix", Arc::new(self.biz_prefix.finish())),
            ("sigungu", Arc::new(self.sigungu.finish())),
            ("road", Arc::new(self.road.finish())),
            ("started_on", Arc::new(self.started_on.finish())),
            ("headcount", Arc::new(self.headcount.finish())),
        ];
        Ok(RecordBatch::try_from_iter(columns)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_number_counts_only_with_ten_digits_and_their_check_digit() {
        let of = |number: &str| Workplace {
            biz_no: Some(number.to_owned()),
            ..Workplace::default()
        };
        assert_eq!(of("1248100998").valid_biz_no(), Some("1248100998"));
        assert_eq!(of("1248100997").valid_biz_no(), None);
        assert_eq!(of("124810").valid_biz_no(), None);
        assert_eq!(Workplace::default().valid_biz_no(), None);
    }

    #[test]
    fn a_record_is_compared_by_bare_name_prefix_and_road() {
        let mut buffer = RecordBuffer::default();
        buffer.push(&Workplace {
            source: "nps_workplace".to_owned(),
            source_id: "x".to_owned(),
            name: Some("(주))모의가람정밀123".to_owned()),
            biz_no: Some("124810".to_owned()),
            address: Some("대구광역시 동구 화랑로108길".to_owned()),
            ..Workplace::default()
        });
        let batch = buffer.take().unwrap();
        let value = |name: &str| texts(&batch, name).unwrap().value(0).to_owned();
        assert_eq!(value("record_id"), "nps_workplace/x");
        assert_eq!(value("name"), "모의가람정밀123");
        assert_eq!(value("biz_prefix"), "124810");
        assert_eq!(value("road"), "화랑로108길");
        assert!(texts(&batch, "biz_no").unwrap().is_null(0));
        assert_eq!(buffer.rows, 0);
    }
}
