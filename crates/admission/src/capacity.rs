//! May one more job be claimed? One pure question, asked before the claim: what is not claimed stays queued at GitHub.

use std::collections::BTreeMap;

/// The most workers a group may have at once, and the priority class of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ceiling {
    /// The group's `maxWorkers`.
    pub max_workers: Option<u32>,
    /// The group's `priorityTiers`, thresholds rising.
    pub tiers: Vec<Tier>,
}

/// Workers below `threshold` get this class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// Name of a PriorityClass.
    pub priority_class: String,
    /// The tier ends at this count.
    pub threshold: u32,
}

impl Ceiling {
    /// The most workers at once; `None` without a bound.
    #[must_use]
    pub fn limit(&self) -> Option<u32> {
        self.max_workers.or_else(|| self.tiers.last().map(|it| it.threshold))
    }

    /// The priority class of the next worker when `active` exist. Past the last tier its class goes on.
    #[must_use]
    pub fn priority_class(&self, active: u32) -> Option<&str> {
        let tier = self.tiers.iter().find(|it| active < it.threshold).or(self.tiers.last())?;
        Some(&tier.priority_class)
    }
}

/// Amounts by quota resource name (`pods`, `requests.cpu`, `limits.memory`), in thousandths.
pub type Amounts = BTreeMap<String, i128>;

/// One ResourceQuota that would count the pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// Its name.
    pub name: String,
    /// What may be used.
    pub hard: Amounts,
    /// What is used, as the API server last said.
    pub used: Amounts,
}

impl Quota {
    /// The first resource that `demand`, on top of what is used and reserved, would take past its bound.
    #[must_use]
    pub fn short_of(&self, demand: &Amounts, reserved: &Amounts) -> Option<&str> {
        let amount = |amounts: &Amounts, name: &str| amounts.get(name).copied().unwrap_or(0);
        let short = self.hard.iter().find(|(name, hard)| {
            let asked = amount(demand, name);
            asked > 0 && amount(&self.used, name) + amount(reserved, name) + asked > **hard
        });
        short.map(|(name, _)| name.as_str())
    }
}

/// What is asked and what is there.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// The group's bound.
    pub ceiling: &'a Ceiling,
    /// Jobs of the group that hold a slot.
    pub active: u32,
    /// What one more pod takes.
    pub demand: &'a Amounts,
    /// What jobs of this namespace hold in reserve whose pods no quota counts yet.
    pub reserved: &'a Amounts,
    /// The quotas that would count the pod.
    pub quotas: &'a [Quota],
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Claim it; its pod gets this priority class.
    Admit {
        /// `None` when the group has no tiers.
        priority_class: Option<String>,
    },
    /// The group is full.
    Ceiling {
        /// Its bound.
        limit: u32,
    },
    /// A ResourceQuota has no room.
    Quota {
        /// The quota's name.
        name: String,
        /// The resource that runs short.
        resource: String,
    },
}

impl Verdict {
    /// The word that stands in the metric of decisions.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Admit { .. } => "admitted",
            Self::Ceiling { .. } => "ceiling",
            Self::Quota { .. } => "quota",
        }
    }
}

/// Answers the question: the ceiling first, then every quota.
#[must_use]
pub fn admit(question: &Question<'_>) -> Verdict {
    if let Some(limit) = question.ceiling.limit()
        && question.active >= limit
    {
        return Verdict::Ceiling { limit };
    }
    for quota in question.quotas {
        if let Some(resource) = quota.short_of(question.demand, question.reserved) {
            return Verdict::Quota { name: quota.name.clone(), resource: resource.to_owned() };
        }
    }
    Verdict::Admit { priority_class: question.ceiling.priority_class(question.active).map(str::to_owned) }
}

#[cfg(test)]
mod tests;
