//! Temporary: throughput of intake.
#![allow(
    missing_docs,
    clippy::all,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr
)]
use goyong_catalog::contract::Contract;
use goyong_catalog::manifest::Manifest;
use goyong_intake::*;
use goyong_store::{StoreConfig, Warehouse};
use std::io::Write;
use std::sync::Arc;
const YAML: &str = r#"
source: bench
title: t
provider: p
cadence: monthly
manifest: none
period: none
revision: replace_period
control_totals: [wage]
format: {kind: csv, encoding: cp949}
columns:
  - {name: person_key, from: 주민등록번호, type: rrn, tags: [pseudonym], derive: [birth_date, sex, foreigner]}
  - {name: workplace_no, from: 사업장관리번호, type: code, pattern: "^\\d{11}$"}
  - {name: biz_no, from: 사업자등록번호, type: biz_no}
  - {name: firm, from: 사업장명, type: string}
  - {name: acquired_on, from: 취득일, type: date, format: "%Y%m%d"}
  - {name: lost_on, from: 상실일, type: date, format: "%Y%m%d", nullable: true}
  - {name: loss_reason, from: 상실사유코드, type: code, nullable: true, domain: ["11", "12", "22", "23", "26", "31", "32", "41", "42"]}
  - {name: wage, from: 월보수액, type: won, range: [0, 1000000000]}
  - {name: hours, from: 주소정근로시간, type: int, range: [0, 80]}
  - {name: occupation, from: 직종코드, type: code, pattern: "^[0-9][0-9][0-9A-Z]$"}
  - {name: contract_kind, from: 고용형태, type: code, domain: [정규직, 기간제, 단시간]}
  - {name: acquired_reported_on, from: 취득신고일, type: date, format: "%Y%m%d"}
  - {name: lost_reported_on, from: 상실신고일, type: date, format: "%Y%m%d", nullable: true}
  - {name: sigungu, from: 시군구코드, type: code, pattern: "^\\d{5}$"}
  - {name: sigungu_name, from: 시군구명, type: string}
  - {name: ksic, from: 업종코드, type: code}
  - {name: ksic_name, from: 업종명, type: string}
  - {name: headcount, from: 상시인원, type: int}
  - {name: memo, from: 비고, type: string, nullable: true}
  - {name: spell_no, from: 일련번호, type: bigint}
"#;
fn generate(path: &str, rows: u64) {
    let mut out = std::io::BufWriter::with_capacity(1 << 20, std::fs::File::create(path).unwrap());
    let enc = |t: &str| encoding_rs::EUC_KR.encode(t).0.into_owned();
    out.write_all(&enc("주민등록번호,사업장관리번호,사업자등록번호,사업장명,취득일,상실일,상실사유코드,월보수액,주소정근로시간,직종코드,고용형태,취득신고일,상실신고일,시군구코드,시군구명,업종코드,업종명,상시인원,비고,일련번호\n")).unwrap();
    let firms: Vec<Vec<u8>> = (0..5000)
        .map(|i| enc(&format!("(주)가나산업{i}지점")))
        .collect();
    let places: Vec<Vec<u8>> = [
        "서울특별시 종로구",
        "부산광역시 해운대구",
        "경기도 수원시 영통구",
    ]
    .iter()
    .map(|t| enc(t))
    .collect();
    let kinds: Vec<Vec<u8>> = ["정규직", "기간제", "단시간"]
        .iter()
        .map(|t| enc(t))
        .collect();
    let ind: Vec<Vec<u8>> = [
        "응용 소프트웨어 개발 및 공급업",
        "일반 음식점업",
        "그 외 자동차용 신품 부품 제조업",
    ]
    .iter()
    .map(|t| enc(t))
    .collect();
    let mut s = 88172645463325252u64;
    let mut rnd = move || {
        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        s
    };
    let mut line = Vec::new();
    for row in 0..rows {
        line.clear();
        let r = rnd();
        let mut twelve = [b'0'; 12];
        let text = format!(
            "{:02}{:02}{:02}{}{:05}",
            50 + r % 50,
            1 + r / 64 % 12,
            1 + r / 1024 % 28,
            1 + r % 2,
            r / 65536 % 100000
        );
        twelve.copy_from_slice(text.as_bytes());
        line.extend_from_slice(&twelve);
        line.push(goyong_types::ResidentNumber::check_digit(&twelve));
        let bad = r % 200 == 0;
        let mut nine = [b'0'; 9];
        let f = (r >> 20) % 900000;
        nine.copy_from_slice(format!("{:09}", 100000000 + f).as_bytes());
        write!(
            line,
            ",{:011},{}{},",
            10000000000u64 + f,
            std::str::from_utf8(&nine).unwrap(),
            goyong_types::BusinessNumber::check_digit(&nine) as char
        )
        .unwrap();
        line.extend_from_slice(&firms[(f % 5000) as usize]);
        let lost = r % 3 == 0;
        write!(
            line,
            ",20{:02}{:02}{:02},",
            10 + r % 15,
            1 + r / 7 % 12,
            if bad { 45 } else { 1 + r / 9 % 28 }
        )
        .unwrap();
        if lost {
            write!(line, "2025{:02}{:02},32,", 1 + r / 7 % 12, 1 + r / 9 % 28).unwrap()
        } else {
            line.extend_from_slice(b",,")
        }
        write!(
            line,
            "{},{},{:03},",
            1_000_000 + r % 9_000_000,
            15 + r % 40,
            r % 900 + 11
        )
        .unwrap();
        line.extend_from_slice(&kinds[(r % 3) as usize]);
        write!(
            line,
            ",20{:02}{:02}{:02},",
            10 + r % 15,
            1 + r / 7 % 12,
            1 + r / 9 % 28
        )
        .unwrap();
        if lost {
            write!(line, "2025{:02}{:02}", 1 + r / 7 % 12, 1 + r / 9 % 28).unwrap()
        }
        write!(line, ",{:05},", 11110 + r % 30 * 10).unwrap();
        line.extend_from_slice(&places[(r % 3) as usize]);
        write!(line, ",{:05},", 10000 + r % 1200).unwrap();
        line.extend_from_slice(&ind[(r % 3) as usize]);
        write!(line, ",{},,{}\n", r % 3000, row + 1).unwrap();
        out.write_all(&line).unwrap();
    }
    out.flush().unwrap();
}
fn rss() -> String {
    std::fs::read_to_string("/proc/self/status")
        .unwrap()
        .lines()
        .filter(|l| l.starts_with("VmHWM"))
        .collect()
}
#[tokio::main]
async fn main() {
    let a: Vec<String> = std::env::args().collect();
    if a[1] == "generate" {
        generate(&a[2], a[3].parse().unwrap());
        return;
    }
    let root = std::path::PathBuf::from(&a[2]);
    let _ = std::fs::remove_dir_all(&root);
    let keys = Arc::new(Keys::create(&root.join("keys")).unwrap());
    let warehouse = Warehouse::create(&StoreConfig {
        root: root.join("w"),
    })
    .await
    .unwrap();
    let vault = Vault::create(&root.join("w/vault"), &keys).unwrap();
    let contract = Contract::parse(YAML, "bench").unwrap();
    let mut context = IntakeContext {
        warehouse,
        vault,
        keys,
        contracts: Default::default(),
        known_on: "2026-01-01".parse().unwrap(),
        archive: (a[3] == "archive").then(|| root.join("w/archive")),
        limits: ReadLimits {
            threads: a[4].parse().unwrap(),
            ..Default::default()
        },
    };
    context.contracts.insert("bench".into(), contract.clone());
    let t = std::time::Instant::now();
    let outcome = if a.len() > 5 {
        let m = Manifest {
            source: "bench".into(),
            period: None,
            revision: 1,
            rows: a[6].parse().unwrap(),
            control: Default::default(),
            sha256: a[5].clone(),
            known_on: None,
            file: None,
        };
        ingest_file(&context, &contract, std::path::Path::new(&a[1]), Some(&m))
            .await
            .unwrap()
    } else {
        ingest_file(&context, &contract, std::path::Path::new(&a[1]), None)
            .await
            .unwrap()
    };
    let s = t.elapsed().as_secs_f64();
    println!("{outcome:?}");
    println!(
        "{s:.2} s, {:.0} rows/s, {:.1} MB/s, {}",
        outcome.rows_delivered as f64 / s,
        outcome.bytes as f64 / 1e6 / s,
        rss()
    );
}
