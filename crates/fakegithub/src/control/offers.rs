//! What the control API shows of offers: who was shown which job, and what it did about it.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::state::State;
use crate::state::offers::Offer;
use crate::state::runs::{Job, Run};

/// A session that lets a job go by so often could have said that it is busy (protocol §4.3).
const AGAIN_AND_AGAIN: u32 = 3;

/// Offers, and what is to be said of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OffersView {
    /// Each job shown to each session.
    pub offers: Vec<OfferView>,
    /// How many were acknowledged and not tried to claim afterwards.
    pub unclaimed: usize,
    /// The sessions that declined one job again and again.
    pub decliners: Vec<Decliner>,
}

/// A job shown to one session.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are described in docs/fake-github.md, where their users look")]
pub struct OfferView {
    pub run_id: u64,
    pub job_id: String,
    pub account: String,
    pub session_id: String,
    pub agent: String,
    pub request_id: String,
    pub deliveries: u32,
    pub delivered_at: Timestamp,
    pub acknowledged_at: Option<Timestamp>,
    /// The last `acquirejob`, granted or not.
    pub tried_at: Option<Timestamp>,
    pub acquired_at: Option<Timestamp>,
    pub declined: u32,
    pub declined_at: Option<Timestamp>,
    pub open: bool,
}

/// A session that declined one job again and again, and never claimed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are described in docs/fake-github.md, where their users look")]
pub struct Decliner {
    pub session_id: String,
    pub agent: String,
    pub job_id: String,
    pub declined: u32,
}

impl OffersView {
    pub(crate) fn new(state: &State, account: Option<&str>, run: Option<u64>) -> Self {
        let wanted = |it: &Run| {
            account.is_none_or(|account| it.owner().eq_ignore_ascii_case(account))
                && run.is_none_or(|run| it.id == run)
        };
        let jobs = state.jobs().filter_map(|job| Some((job, state.run(job.run).filter(|it| wanted(it))?)));
        let mut offers: Vec<OfferView> = jobs
            .flat_map(|(job, run)| job.life.offers.iter().map(move |offer| (job, run, offer)))
            .map(|(job, run, (session, offer))| OfferView::new(state, job, run, *session, offer))
            .collect();
        offers.sort_by_key(|offer| offer.delivered_at);
        let idle = |it: &&OfferView| it.acquired_at.is_none() && it.tried_at < it.acknowledged_at;
        let unclaimed = offers.iter().filter(idle).count();
        let decliners = offers.iter().filter(|it| it.declined >= AGAIN_AND_AGAIN && it.acquired_at.is_none());
        let decliners = decliners.map(|offer| Decliner {
            session_id: offer.session_id.clone(),
            agent: offer.agent.clone(),
            job_id: offer.job_id.clone(),
            declined: offer.declined,
        });
        Self { unclaimed, decliners: decliners.collect(), offers }
    }
}

impl OfferView {
    fn new(state: &State, job: &Job, run: &Run, session: Uuid, offer: &Offer) -> Self {
        Self {
            run_id: run.id,
            job_id: job.guid.to_string(),
            account: run.owner().to_owned(),
            session_id: session.to_string(),
            agent: state.agent(offer.agent).map(|agent| agent.name.clone()).unwrap_or_default(),
            request_id: offer.request.to_string(),
            deliveries: offer.deliveries,
            delivered_at: offer.delivered,
            acknowledged_at: offer.acknowledged,
            tried_at: offer.tried,
            acquired_at: offer.acquired,
            declined: offer.declined(),
            declined_at: offer.declined_at(),
            open: offer.is_open(),
        }
    }
}
