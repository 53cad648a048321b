//! What each centre is given to do: the most urgent cases up to its capacity, and a few claims drawn at random from all
//! active ones, from which precision and prevalence can be estimated.

use std::collections::{BTreeMap, HashMap, HashSet};

use goyong_database::{Transaction, Value};

use crate::book::digest;
use crate::error::CaseError;
use crate::merge::Incoming;

/// What the centres can do in a night.
#[derive(Debug, Clone, PartialEq)]
pub struct Capacity {
    /// Cases a centre takes up.
    pub per_centre: u32,
    /// Centres that take up another number.
    pub centres: BTreeMap<String, u32>,
    /// Share of these that is drawn at random, in hundredths of a percent.
    pub random_basis_points: u32,
}

impl Default for Capacity {
    fn default() -> Self {
        Self {
            per_centre: 10,
            centres: BTreeMap::new(),
            random_basis_points: 800,
        }
    }
}

impl Capacity {
    /// Cases a centre takes up.
    pub fn of(&self, centre: &str) -> u32 {
        self.centres.get(centre).copied().unwrap_or(self.per_centre)
    }
}

/// A claim that is being paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveClaim {
    /// Its number.
    pub claim_no: String,
    /// The claimant.
    pub person_key: i64,
    /// The centre.
    pub centre: String,
    /// The workplace that was left, where it is known.
    pub workplace_no: Option<String>,
}

impl ActiveClaim {
    fn workplace(&self) -> Option<&str> {
        self.workplace_no.as_deref()
    }
}

/// A claim that was drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Drawn {
    pub(crate) claim_no: String,
    pub(crate) centre: String,
    pub(crate) looks_at: LooksAt,
    population: i64,
    inclusion_ppb: i64,
}

/// Whom a drawn claim leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LooksAt {
    Claimant(i64),
    Workplace(String),
}

impl Drawn {
    pub(crate) fn pivot_kind(&self) -> &'static str {
        match self.looks_at {
            LooksAt::Claimant(_) => "person",
            LooksAt::Workplace(_) => "workplace",
        }
    }

    pub(crate) fn pivot_key(&self) -> String {
        match &self.looks_at {
            LooksAt::Claimant(person) => format!("person/{person}"),
            LooksAt::Workplace(workplace_no) => format!("workplace/{workplace_no}"),
        }
    }

    pub(crate) fn person_key(&self) -> Option<i64> {
        match self.looks_at {
            LooksAt::Claimant(person) => Some(person),
            LooksAt::Workplace(_) => None,
        }
    }
}

/// One in so many of the claims drawn leads to the workplace that was left, not to the claimant.
const WORKPLACE_ONE_IN: u64 = 4;

/// A number from 0 to 2^52, the same for the same texts.
fn number(secret: &str, texts: &[&str]) -> u64 {
    let text = digest(secret, texts);
    u64::from_str_radix(text.get(..13).unwrap_or_default(), 16).unwrap_or_default()
}

const NUMBERS: u64 = 1 << 52;

/// Draws from the active claims of each centre, once for each night and the same for the same night. A centre's share of
/// its capacity is rarely a whole number; what is over is one more claim with that probability, so the expected number
/// is exact and each active claim of a centre has the probability share × capacity ÷ claims.
///
/// Some of the claims drawn lead to their workplace. What is kept as its inclusion is the inverse of the weight that
/// makes sums over such claims those over workplaces: each of its active claims carries an equal part of it (generalised
/// weight share method, Lavallée 2007). It may exceed one.
pub(crate) async fn draw(
    transaction: &mut Transaction,
    incoming: &Incoming,
) -> Result<Vec<Drawn>, CaseError> {
    let error = CaseError::database("draw claims");
    let sql = "select 1 from case_draws where night = $1 limit 1";
    let drawn_already = transaction
        .query(sql, &[incoming.as_of.to_string().into()])
        .await
        .map_err(error)?;
    if !drawn_already.is_empty() {
        return Ok(Vec::new());
    }
    let secret = &incoming.secret;
    let night = incoming.as_of.to_string();
    let mut by_centre: BTreeMap<&str, Vec<(u64, &ActiveClaim)>> = BTreeMap::new();
    for claim in &incoming.active_claims {
        let place = number(secret, &["draw", &night, &claim.claim_no]);
        by_centre
            .entry(&claim.centre)
            .or_default()
            .push((place, claim));
    }
    let mut claims_of: HashMap<&str, i64> = HashMap::new();
    for workplace in incoming
        .active_claims
        .iter()
        .filter_map(ActiveClaim::workplace)
    {
        *claims_of.entry(workplace).or_default() += 1;
    }
    let one_in = WORKPLACE_ONE_IN as i64;
    let mut drawn = Vec::new();
    for (centre, mut claims) in by_centre {
        claims.sort_by(|left, right| (left.0, &left.1.claim_no).cmp(&(right.0, &right.1.claim_no)));
        let population = claims.len() as u64;
        // In ten-thousandths of a claim.
        let expected = u64::from(incoming.capacity.of(centre))
            * u64::from(incoming.capacity.random_basis_points.min(10_000));
        let expected = expected.min(population * 10_000);
        let over = number(secret, &["round", &night, centre]) % NUMBERS;
        let one_more =
            u128::from(over) * 10_000 < u128::from(expected % 10_000) * u128::from(NUMBERS);
        let count = expected / 10_000 + u64::from(one_more);
        let of_claim = (expected * 100_000 / population) as i64;
        for (_, claim) in claims.iter().take(count as usize) {
            let place = number(secret, &["workplace", &night, &claim.claim_no]);
            let leads_on = place.is_multiple_of(WORKPLACE_ONE_IN);
            let (looks_at, inclusion_ppb) = match claim.workplace() {
                Some(workplace) if leads_on => {
                    let claims = claims_of.get(workplace).copied().unwrap_or(1);
                    let looks_at = LooksAt::Workplace(workplace.to_owned());
                    (looks_at, of_claim * claims / one_in)
                }
                Some(_) => {
                    let looks_at = LooksAt::Claimant(claim.person_key);
                    (looks_at, of_claim * (one_in - 1) / one_in)
                }
                None => (LooksAt::Claimant(claim.person_key), of_claim),
            };
            drawn.push(Drawn {
                claim_no: claim.claim_no.clone(),
                centre: centre.to_owned(),
                looks_at,
                population: population as i64,
                inclusion_ppb,
            });
        }
    }
    Ok(drawn)
}

/// Keeps what was drawn; answers how many of it are new.
pub(crate) async fn keep(
    transaction: &mut Transaction,
    night: &str,
    drawn: &[Drawn],
) -> Result<u64, CaseError> {
    let error = CaseError::database("keep what was drawn");
    let sql = "insert into case_draws (night, claim_no, centre, case_no, population, inclusion_ppb) \
               select cast($1 as text), cast($2 as text), cast($3 as text), c.case_no, cast($5 as bigint), \
               cast($6 as bigint) from cases c where c.pivot_key = $4 \
               and not exists (select 1 from case_draws d where d.night = $1 and d.claim_no = $2)";
    let mut kept = 0;
    for claim in drawn {
        let values = [
            night.into(),
            (&claim.claim_no).into(),
            (&claim.centre).into(),
            claim.pivot_key().into(),
            claim.population.into(),
            claim.inclusion_ppb.into(),
        ];
        kept += transaction.execute(sql, &values).await.map_err(error)?;
    }
    Ok(kept)
}

/// Pending cases in order of urgency, and whether a suppression holds each back on the day `$1`.
pub(crate) const WAITING: &str = "select c.case_no, c.centre, c.pivot_key, c.amount_at_risk_won, c.severity, \
    case when exists (select 1 from case_suppressions s where s.scope <> 'rule' and s.value = c.pivot_key \
    and s.from_on <= $1 and s.expires_on > $1 and (s.lifted_on is null or s.lifted_on > $1)) \
    or not exists (select 1 from case_evidence e where e.case_no = c.case_no and e.decided_in is null \
    and e.withdrawn_on is null and not exists (select 1 from case_suppressions s where s.scope = 'rule' \
    and s.value = e.rule_id and s.from_on <= $1 and s.expires_on > $1 \
    and (s.lifted_on is null or s.lifted_on > $1))) then 1 else 0 end \
    from cases c left join case_scores r on r.case_no = c.case_no \
    where c.state = 'pending' and c.undecided_count > 0 \
    and (c.snoozed_until is null or c.snoozed_until <= $1) \
    order by case c.severity when 'critical' then 0 when 'high' then 1 when 'medium' then 2 else 3 end, \
    coalesce(r.risk_ppb, -1) desc, c.amount_at_risk_won desc, c.known_on, c.case_no";

static LIST: std::sync::LazyLock<goyong_database::Load> = std::sync::LazyLock::new(|| {
    use goyong_database::ColumnKind::{Integer, Text};
    goyong_database::Load::into(
        "case_list",
        &[
            ("night", Text),
            ("centre", Text),
            ("place", Integer),
            ("case_no", Integer),
        ],
    )
});

/// Writes the list of the night; answers how many cases are on it, and how many a suppression keeps off it.
pub(crate) async fn list(
    transaction: &mut Transaction,
    night: &str,
    capacity: &Capacity,
) -> Result<(u64, u64), CaseError> {
    let error = CaseError::database("list the cases of the night");
    transaction
        .execute("delete from case_list where night = $1", &[night.into()])
        .await
        .map_err(error)?;
    let mut by_centre: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    // A claim that was drawn takes a place whatever else is known, unless somebody is at it already.
    let sql = "select d.case_no, c.centre from case_draws d join cases c on c.case_no = d.case_no \
               where d.night = $1 and c.state = 'pending' order by d.case_no";
    let mut taken = HashSet::new();
    for row in transaction
        .query(sql, &[night.into()])
        .await
        .map_err(error)?
    {
        let case_no = row.integer(0).map_err(error)?;
        if taken.insert(case_no) {
            by_centre
                .entry(row.text(1).map_err(error)?)
                .or_default()
                .push(case_no);
        }
    }
    let mut suppressed = 0;
    for row in transaction
        .query(WAITING, &[night.into()])
        .await
        .map_err(error)?
    {
        let (case_no, centre) = (row.integer(0).map_err(error)?, row.text(1).map_err(error)?);
        if row.integer(5).map_err(error)? == 1 {
            suppressed += 1;
            continue;
        }
        let most = capacity.of(&centre) as usize;
        let listed = by_centre.entry(centre).or_default();
        if listed.len() < most && taken.insert(case_no) {
            listed.push(case_no);
        }
    }
    let mut rows: Vec<Vec<Value>> = Vec::new();
    for (centre, mut cases) in by_centre {
        // By number: the order does not tell who was drawn.
        cases.sort_unstable();
        for (place, case_no) in (1i64..).zip(cases) {
            rows.push(vec![
                night.into(),
                (&centre).into(),
                place.into(),
                case_no.into(),
            ]);
        }
    }
    transaction.load(&LIST, &rows).await.map_err(error)?;
    Ok((rows.len() as u64, suppressed))
}
