//! One namespace in which case follows case.

use std::time::Duration;

use admission::{Amounts, Demand, Need, Object, Quota, limit_range, quantity, refusals};
use anyhow::{Context as _, Result, bail, ensure};
use e2e::{Namespace, wait};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, LimitRange, PersistentVolumeClaim, Pod, PodSpec, ResourceQuota};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Error, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::cases::{Classes, Dice};

/// For what the control plane does by itself: count, delete, take notice.
const NOTICED: Duration = Duration::from_secs(20);
/// What the RuntimeClass of the suite adds.
const OVERHEAD: [(&str, &str); 2] = [("cpu", "250m"), ("memory", "120Mi")];

/// What the API server answers to a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    Created,
    /// And its quotas' usage grew by what we reckon of it.
    Counted,
    ExceededQuota,
    Refused,
}

/// A kind that a case writes.
trait Written:
    Resource<Scope = NamespaceResourceScope, DynamicType = ()>
    + Serialize
    + DeserializeOwned
    + Clone
    + std::fmt::Debug
{
}

impl Written for Pod {}
impl Written for ResourceQuota {}
impl Written for LimitRange {}
impl Written for ConfigMap {}
impl Written for PersistentVolumeClaim {}

/// A namespace, and what its pods may name.
pub struct Lane<'a> {
    namespace: &'a Namespace,
    classes: &'a Classes,
}

/// A case, as both sides see it.
struct Case {
    pod: Pod,
    /// The pod's spec as we think that the API server fills it in.
    spec: PodSpec,
    ranges: Vec<LimitRange>,
}

impl<'a> Lane<'a> {
    pub fn new(namespace: &'a Namespace, classes: &'a Classes) -> Self {
        Self { namespace, classes }
    }

    /// Makes one world, asks both sides, and unmakes it.
    pub async fn case(&self, seed: u64) -> Result<Answer> {
        let mut dice = Dice::new(seed);
        let booked = self.book(&mut dice, seed).await?;
        let spec = dice.pod(self.classes);
        let ranges = self.ranges(&mut dice, seed).await?;
        let case = Case::new(spec, ranges, self.classes)?;
        let needed = of_pod(&case.spec);
        let mut quotas = Vec::new();
        for i in 0..dice.below(4) {
            let spec = dice.quota(&needed, &booked, self.classes);
            quotas.extend(self.quota(&format!("q{i}"), spec).await?);
        }
        self.noticed(seed).await?;
        let mut answer = self.agreed(&case).await?;
        if answer == Answer::Created && dice.percent(50) && self.grows(&case).await? {
            answer = Answer::Counted;
        }
        self.clear().await?;
        Ok(answer)
    }

    /// Pods that are there before; what they take.
    async fn book(&self, dice: &mut Dice, seed: u64) -> Result<Amounts> {
        let mut booked = Amounts::new();
        for i in 0..dice.below(3) {
            let object =
                json!({"metadata": {"name": format!("booked-{seed}-{i}")}, "spec": dice.pod(self.classes)});
            if let Some(pod) = self.created::<Pod>(object).await? {
                for (name, amount) in of_pod(&pod.spec.unwrap_or_default()) {
                    *booked.entry(name).or_default() += amount;
                }
            }
        }
        Ok(booked)
    }

    /// At most one LimitRange: of two, the API server may apply either first.
    async fn ranges(&self, dice: &mut Dice, seed: u64) -> Result<Vec<LimitRange>> {
        let limits = dice.limits();
        if !dice.percent(45) {
            return Ok(Vec::new());
        }
        let object = json!({"metadata": {"name": format!("r-{seed}")}, "spec": {"limits": limits}});
        Ok(self.created(object).await?.into_iter().collect())
    }

    /// A quota that the controller has counted; `None` when it is not valid.
    async fn quota(&self, name: &str, spec: Value) -> Result<Option<ResourceQuota>> {
        let object = json!({"metadata": {"name": name}, "spec": spec});
        let Some(quota) = self.created::<ResourceQuota>(object).await? else { return Ok(None) };
        let hard = quota.spec.and_then(|it| it.hard).unwrap_or_default();
        let counted = |it: &ResourceQuota| {
            let status = it.status.clone().unwrap_or_default();
            status.hard.unwrap_or_default().len() == hard.len()
        };
        wait::until(&self.namespace.api(), name, "counted", NOTICED, counted).await.map(Some)
    }

    /// Waits until the API server judges by all that was written: by what was written last of each kind, which refuses an object
    /// that nothing else here minds.
    async fn noticed(&self, seed: u64) -> Result<()> {
        let canary = format!("canary-{seed}");
        self.quota(&canary, json!({"hard": {"count/configmaps": "0"}})).await?;
        let most = format!("{}Gi", 100 + seed);
        let limits = json!([{"type": "PersistentVolumeClaim", "max": {"storage": most}}]);
        self.created::<LimitRange>(json!({"metadata": {"name": canary}, "spec": {"limits": limits}})).await?;
        let probe = json!({"metadata": {"name": "probe"}});
        self.refused::<ConfigMap>(probe.clone(), &format!("exceeded quota: {canary}")).await?;
        let mut probe = probe;
        probe["spec"] = json!({"accessModes": ["ReadWriteOnce"], "storageClassName": "",
            "resources": {"requests": {"storage": "1Pi"}}});
        self.refused::<PersistentVolumeClaim>(probe, &format!("is {most},")).await
    }

    async fn refused<K: Written>(&self, object: Value, words: &str) -> Result<()> {
        let object: K = serde_json::from_value(object)?;
        wait::eventually(words, NOTICED, async || {
            match self.namespace.api::<K>().create(&dry_run(), &object).await {
                Err(Error::Api(status)) if status.message.contains(words) => Ok(()),
                Err(error) => Err(error.into()),
                Ok(_) => bail!("not refused"),
            }
        })
        .await
    }

    /// Asks both sides. They may differ for as long as the usage in a quota's status is not the one that the API server
    /// judges by.
    async fn agreed(&self, case: &Case) -> Result<Answer> {
        wait::eventually("both sides agree", Duration::from_secs(3), async || {
            let quotas = self.namespace.api::<ResourceQuota>().list(&ListParams::default()).await?.items;
            let ours = case.verdict(&quotas);
            let theirs = self.namespace.api::<Pod>().create(&dry_run(), &case.pod).await;
            let (answer, said) = case.answer(theirs)?;
            let told = || format!("the API server: {said}\nwe: {ours:?}\n{}", case.told(&quotas));
            ensure!(answer == ours.0, "{}", told());
            let same = ours.1.iter().any(|it| words(&said).contains(&words(it)));
            ensure!(same || answer != Answer::Refused, "{}", told());
            Ok(answer)
        })
        .await
    }

    /// Creates the pod, and sees each quota's usage grow by what we reckon of it; whether any counts it.
    async fn grows(&self, case: &Case) -> Result<bool> {
        let api = self.namespace.api::<ResourceQuota>();
        let before: Vec<Quota> = api.list(&ListParams::default()).await?.iter().map(Quota::of).collect();
        let created = self.namespace.api::<Pod>().create(&PostParams::default(), &case.pod).await?;
        let demand = Demand::of(&created.spec.clone().unwrap_or_default());
        let need = Need { demand: &demand, priority_class: None, from: Object::Pod };
        // A volume claim for which there is no room is not created.
        if before.iter().any(|it| it.short_of(need, &[]).is_some()) {
            return Ok(false);
        }
        let mut counted = false;
        for quota in before {
            counted |= quota.used.keys().any(|it| quota.taken(need, it) > 0);
            let seen = wait::eventually("usage grown by the demand", NOTICED, async || {
                let object = api.get(&quota.name).await?;
                let used = Quota::of(&object).used;
                for (resource, was) in &quota.used {
                    let (is, grown) =
                        (used.get(resource).copied().unwrap_or_default(), quota.taken(need, resource));
                    ensure!(
                        is == was + grown,
                        "{} {resource}: {} used, was {}, demand {}",
                        quota.name,
                        quantity::canonical(is),
                        quantity::canonical(*was),
                        quantity::canonical(grown)
                    );
                }
                Ok(())
            })
            .await;
            seen.with_context(|| case.told(&[]))?;
        }
        Ok(counted)
    }

    async fn clear(&self) -> Result<()> {
        self.emptied::<ResourceQuota>().await?;
        self.emptied::<LimitRange>().await?;
        self.emptied::<Pod>().await?;
        self.emptied::<PersistentVolumeClaim>().await
    }

    async fn emptied<K: Written>(&self) -> Result<()> {
        let api = self.namespace.api::<K>();
        api.delete_collection(&DeleteParams::default().grace_period(0), &ListParams::default()).await?;
        wait::eventually("nothing of it is left", NOTICED, async || {
            let left = api.list(&ListParams::default()).await?.items;
            ensure!(left.is_empty(), "{} are left", left.len());
            Ok(())
        })
        .await
    }

    /// Creates an object; `None` when it is not valid.
    async fn created<K: Written>(&self, object: Value) -> Result<Option<K>> {
        let object: K = serde_json::from_value(object)?;
        match self.namespace.api::<K>().create(&PostParams::default(), &object).await {
            Ok(created) => Ok(Some(created)),
            Err(Error::Api(status)) if status.code == 422 => Ok(None),
            Err(error) => Err(error).with_context(|| object.name_any()),
        }
    }
}

impl Case {
    fn new(spec: Value, ranges: Vec<LimitRange>, classes: &Classes) -> Result<Self> {
        let pod: Pod = serde_json::from_value(json!({"metadata": {"name": "asked"}, "spec": spec}))?;
        let mut spec = pod.spec.clone().unwrap_or_default();
        limit_range::apply(&mut spec, &ranges);
        if spec.runtime_class_name.as_ref() == Some(&classes.runtime) {
            let overhead = OVERHEAD.map(|(name, it)| (name.to_owned(), serde_json::from_value(json!(it))));
            for (name, amount) in overhead {
                spec.overhead.get_or_insert_default().insert(name, amount?);
            }
        }
        Ok(Self { pod, spec, ranges })
    }

    /// Our answer, with what it is about. A pod's volume claims are not judged with it.
    fn verdict(&self, quotas: &[ResourceQuota]) -> (Answer, Vec<String>) {
        let quotas: Vec<Quota> = quotas.iter().map(Quota::of).collect();
        let refused = refusals(&self.spec, &self.ranges, &quotas);
        if !refused.is_empty() {
            return (Answer::Refused, refused);
        }
        let demand = Demand::of(&PodSpec { volumes: None, ..self.spec.clone() });
        let need = Need { demand: &demand, priority_class: None, from: Object::Pod };
        let short = quotas.iter().find_map(|it| it.short_of(need, &[]));
        short.map_or((Answer::Created, Vec::new()), |it| (Answer::ExceededQuota, vec![format!("{it:?}")]))
    }

    /// The API server's answer, and its words. A pod that came back takes what we reckon of the one that was sent.
    fn answer(&self, theirs: Result<Pod, Error>) -> Result<(Answer, String)> {
        match theirs {
            Ok(pod) => {
                let (theirs, ours) = (of_pod(&pod.spec.unwrap_or_default()), of_pod(&self.spec));
                ensure!(
                    theirs == ours,
                    "of the pod that came back: {theirs:?}\nof ours: {ours:?}\n{}",
                    self.told(&[])
                );
                Ok((Answer::Created, String::new()))
            }
            Err(Error::Api(status)) if matches!(status.code, 403 | 422) => {
                let exceeded = status.message.contains("exceeded quota");
                Ok((if exceeded { Answer::ExceededQuota } else { Answer::Refused }, status.message.clone()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The case, for people.
    fn told(&self, quotas: &[ResourceQuota]) -> String {
        let quotas: Vec<_> = quotas.iter().map(|it| (it.name_any(), &it.spec, &it.status)).collect();
        let ranges: Vec<_> = self.ranges.iter().map(|it| &it.spec).collect();
        let told = json!({"pod": self.pod.spec, "ranges": ranges, "quotas": quotas});
        serde_yaml::to_string(&told).unwrap_or_default()
    }
}

/// A sentence with its amounts as numbers: `2e9` is `2G`.
fn words(sentence: &str) -> String {
    let word = |it: &str| {
        let it = it.trim_matches(|it| "\"[](),:".contains(it));
        quantity::millis(it).map_or_else(|| it.to_owned(), |it| it.to_string())
    };
    sentence.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

fn of_pod(spec: &PodSpec) -> Amounts {
    Demand::of(spec).amounts(Object::Pod)
}

fn dry_run() -> PostParams {
    PostParams { dry_run: true, ..PostParams::default() }
}
