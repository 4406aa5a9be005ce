//! A setting that can be another one for each account, so that tests share one server.

use std::collections::BTreeMap;

use serde::Serialize;

/// A value for all accounts, and others for some.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Scoped<T> {
    everywhere: T,
    /// By account in lower case.
    by_account: BTreeMap<String, T>,
}

impl<T> Scoped<T> {
    /// The value of an account: its own, else everybody's.
    pub(crate) fn of(&self, account: &str) -> &T {
        self.by_account.get(&account.to_lowercase()).unwrap_or(&self.everywhere)
    }

    /// Turns an account's value, or everybody's who has none of its own.
    pub(crate) fn set(&mut self, account: Option<String>, value: T) {
        match account {
            Some(account) => {
                self.by_account.insert(account.to_lowercase(), value);
            }
            None => self.everywhere = value,
        }
    }

    /// Every value that counts for an account: everybody's, then its own.
    pub(crate) fn layers(&self, account: &str) -> impl Iterator<Item = &T> {
        std::iter::once(&self.everywhere).chain(self.by_account.get(&account.to_lowercase()))
    }
}

impl<T: Default> Scoped<T> {
    /// An account's value, or everybody's, to be changed.
    pub(crate) fn edit(&mut self, account: Option<String>) -> &mut T {
        match account {
            Some(account) => self.by_account.entry(account.to_lowercase()).or_default(),
            None => &mut self.everywhere,
        }
    }
}
