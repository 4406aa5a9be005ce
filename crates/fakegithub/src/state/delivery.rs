//! Which job a session is shown, and what it does about it (protocol §4.4, §4.5).

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::State;
use super::life::Phase;
use super::message::BILLING_OWNER;
use super::offers::{Again, Delivery, Offer, Policy};
use super::runs::Run;
use super::sessions::{Note, Poll};
use crate::settings::ShouldAcknowledge;

impl State {
    /// The job that a session is shown, if there is one.
    pub(super) fn offer(&mut self, agent_id: u64, session_id: Uuid, now: Timestamp) -> Poll {
        let offered = self.sessions.get(&session_id).and_then(|session| session.offered);
        if let Some((id, delivery)) =
            offered.and_then(|id| Some((id, self.offered_again(id, session_id, now)?)))
        {
            match delivery {
                Delivery::Now => return self.deliver(id, agent_id, session_id, now),
                Delivery::At(again) => return Poll::Wait(Some(again)),
                Delivery::Not => {}
            }
        }
        match self.next_job(agent_id, session_id, now) {
            (Some(id), _) => self.deliver(id, agent_id, session_id, now),
            (None, again) => Poll::Wait(again),
        }
    }

    /// When a session is shown again what it is shown; none when that offer does not stand.
    fn offered_again(&mut self, job: u64, session: Uuid, now: Timestamp) -> Option<Delivery> {
        let policy = self.offer_policy(job);
        let life = &mut self.jobs.get_mut(&job)?.life;
        let freed = life.judge(&policy, now);
        let delivery =
            life.offers.get(&session).filter(|offer| offer.is_open()).map(|it| it.next_delivery(&policy));
        if freed {
            self.touch();
        }
        delivery
    }

    /// What comes of offers of a job that are not claimed.
    pub(super) fn offer_policy(&self, job: u64) -> Policy {
        let account = self.run_of_job(job).map_or("", Run::owner);
        let (timers, choices) = (&self.settings.timers, &self.settings.choices);
        let declined = choices.declined.of(account);
        Policy {
            window: timers.window(),
            patience: timers.scaled(declined.after.unwrap_or(timers.redelivery)),
            times: declined.times,
            to: declined.to,
            acknowledged: *choices.acknowledged.of(account),
        }
    }

    /// The oldest queued job that the agent fits, that few enough sessions are shown, and that this one may be shown;
    /// else when it may look again.
    fn next_job(&mut self, agent_id: u64, session: Uuid, now: Timestamp) -> (Option<u64>, Option<Timestamp>) {
        let mut later: Vec<Timestamp> = Vec::new();
        let mut next = self.waiting.first().copied();
        while let Some(id) = next {
            next = self.waiting.range(id + 1..).next().copied();
            let policy = self.offer_policy(id);
            let (Some(agent), Some(job)) = (self.agents.get(&agent_id), self.jobs.get_mut(&id)) else {
                continue;
            };
            let repository = self.runs.get(&job.run).map_or("", |run| run.repository.as_str());
            if !agent.fits(repository, &job.plan.labels) {
                continue;
            }
            job.life.judge(&policy, now);
            let again = job.life.offers.get(&session).map(|offer| offer.again());
            let free = job.life.open_offers() < self.settings.fan_out;
            match again {
                _ if !free => later.extend(Offer::first_due(job.life.offers.values(), &policy, now)),
                Some(Again::Never) => {}
                Some(Again::At(time)) if time > now => later.push(time),
                Some(Again::At(_)) | None => return (Some(id), None),
            }
        }
        (None, later.into_iter().min())
    }

    fn deliver(&mut self, job_id: u64, agent_id: u64, session_id: Uuid, now: Timestamp) -> Poll {
        let fresh = self.ids.guid();
        let equal = self.settings.equal_request_ids;
        let account = self.run_of_job(job_id).map_or("", Run::owner);
        let choices = &self.settings.choices;
        let should = *choices.should_acknowledge.of(account);
        let base = match choices.empty_run_service.of(account) {
            true => String::new(),
            false => self.run_service_url(job_id),
        };
        let Some(job) = self.jobs.get_mut(&job_id) else { return Poll::Wait(None) };
        let shared = job.life.offers.values().next().map(|offer| offer.request).filter(|_| equal);
        let request = job.life.deliver(session_id, agent_id, shared.unwrap_or(fresh), now);
        if let Some(session) = self.sessions.get_mut(&session_id) {
            session.offered = Some(job_id);
        }
        let id = self.ids.message();
        let mut body = json!({
            "id": id.to_string(),
            "runner_request_id": request,
            "run_service_url": base,
            "billing_owner_id": BILLING_OWNER,
        });
        if should != ShouldAcknowledge::Absent {
            body["should_acknowledge"] = json!(should == ShouldAcknowledge::True);
        }
        let note = Note { kind: "RunnerJobRequest".into(), body: body.to_string(), urgent: false };
        // Others that were offered the job at the same time may look for another one.
        self.touch();
        Poll::Message(self.envelop_as(id, session_id, note))
    }

    /// Notes an acknowledgement. False when the job has gone.
    pub(crate) fn acknowledge(&mut self, agent: u64, request: Uuid, now: Timestamp) -> bool {
        let window = self.settings.timers.window();
        let siblings = self.settings.siblings_claim;
        let id = self.job_of_request(agent, request);
        let Some(job) = id.and_then(|id| self.jobs.get_mut(&id)) else { return false };
        let taken = !siblings && job.life.phase != Phase::Queued;
        let over = job.life.is_done();
        let Some(offer) = job.life.offer_mut(request, agent) else { return false };
        let own = offer.acquired.is_some();
        if over || (!own && (taken || !offer.can_be_claimed(window, now))) {
            return false;
        }
        offer.acknowledged = Some(now);
        true
    }

    /// Notes an attempt to claim, whatever comes of it.
    pub(crate) fn note_claim(&mut self, agent: u64, request: Uuid, now: Timestamp) {
        let id = self.job_of_request(agent, request);
        if let Some(offer) = id.and_then(|id| self.jobs.get_mut(&id)?.life.offer_mut(request, agent)) {
            offer.tried = Some(now);
        }
    }

    pub(super) fn job_of_request(&self, agent: u64, request: Uuid) -> Option<u64> {
        self.jobs
            .values()
            .rev()
            .find(|job| {
                job.life.offers.values().any(|offer| offer.request == request && offer.agent == agent)
            })
            .map(|job| job.id)
    }

    /// Takes back all that a session is shown.
    pub(super) fn withdraw_offer(&mut self, session_id: Uuid) {
        if let Some(session) = self.sessions.get_mut(&session_id) {
            session.offered = None;
        }
        for id in &self.open {
            if let Some(job) = self.jobs.get_mut(id) {
                job.life.withdraw(session_id);
            }
        }
    }
}
