//! Amounts of resources.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::quantity::millis;

/// Amounts by resource name (`pods`, `requests.cpu`, `limits.memory`), in thousandths.
pub type Amounts = BTreeMap<String, i128>;

/// The amounts of a resource list. What is no quantity counts as not there.
pub(crate) fn read(list: &BTreeMap<String, Quantity>) -> Amounts {
    list.iter().filter_map(|(name, it)| Some((name.clone(), millis(&it.0)?))).collect()
}

/// Adds `more` to `amounts`, name by name.
pub(crate) fn add(amounts: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        *amounts.entry(name.clone()).or_default() += amount;
    }
}

/// Raises `amounts` to `least`, name by name.
pub(crate) fn raise(amounts: &mut Amounts, least: &Amounts) {
    for (name, amount) in least {
        let most = amounts.entry(name.clone()).or_insert(*amount);
        *most = (*most).max(*amount);
    }
}
