//! The bounds that a group sets itself.

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

    /// The priority classes that workers get; `None`: whatever the template says.
    #[must_use]
    pub fn priority_classes(&self) -> Vec<Option<String>> {
        if self.tiers.is_empty() {
            return vec![None];
        }
        self.tiers.iter().map(|it| Some(it.priority_class.clone())).collect()
    }

    /// The priority class of the next worker when `active` exist. Past the last tier its class goes on.
    #[must_use]
    pub fn priority_class(&self, active: u32) -> Option<&str> {
        let tier = self.tiers.iter().find(|it| active < it.threshold).or(self.tiers.last())?;
        Some(&tier.priority_class)
    }
}
